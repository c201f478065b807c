/*
 * cli/review.c - access reviews: granted roles are confirmed or dropped, many at a time
 */
#include "cli/groups.h"

#include "cli/act.h"
#include "json/write.h"

int
review_run(struct cli *c, const struct args *a)
{
	MU_AUTO(mu_buf_clear) struct mu_buf args_json = MU_BUF_INIT;
	struct json_writer w;
	struct mu_uuid id;

	json_begin(&w, &args_json);
	json_object_begin(&w, NULL);
	json_list_begin(&w, "grants");
	for (size_t i = 0; i < a->many_count; i++) {
		if (!mu_uuid_parse(a->many[i], &id))
			return cli_usage(c, "\"%s\" is no id: muster review list shows them",
			    a->many[i]);
		json_uuid(&w, NULL, &id);
	}
	json_list_end(&w);
	json_object_end(&w);
	json_end(&w);
	return act_with(c, a, args_json.data);
}
