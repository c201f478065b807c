#include "api/answer_priv.h"

#include "action/action.h"
#include "http/problem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Without extra or way_in where they are NULL. */
static void
problem(struct http_request *req, int status, int64_t retry_after_s, const char *way_in,
    const char *detail,
    const struct json_extra *extra)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct http_header headers[3] = { 0 };
	struct json_writer w;
	size_t count = 0;
	bool is_early = extra != NULL && strcmp(extra->name, "detail") < 0;
	char wait[24];

	if (retry_after_s > 0) {
		(void)snprintf(wait, sizeof(wait), "%lld", (long long)retry_after_s);
		headers[count++] = (struct http_header){ "Retry-After", wait };
	}
	if (way_in != NULL)
		headers[count++] = (struct http_header){ "WWW-Authenticate", way_in };
	json_begin(&w, &body);
	json_object_begin(&w, NULL);
	if (is_early)
		json_value(&w, extra->name, extra->json);
	json_text(&w, "detail", detail);
	json_int(&w, "status", status);
	if (extra != NULL && !is_early)
		json_value(&w, extra->name, extra->json);
	json_text(&w, "title", http_status_text(status));
	json_object_end(&w);
	json_end(&w);
	http_answer(req, status, "application/problem+json", body.data, body.size_bytes, headers);
}

void
answer_problem(struct http_request *req, int status, int64_t retry_after_s, const char *detail,
    const struct json_extra *extra)
{
	problem(req, status, retry_after_s, NULL, detail, extra);
}

void
answer_unknown(struct http_request *req, const char *way_in, const char *detail)
{
	problem(req, 401, 0, way_in, detail, NULL);
}

void
answer_json(struct http_request *req, int status, const struct mu_buf *json)
{
	http_answer(req, status, "application/json", json->data, json->size_bytes, NULL);
}

/* RFC 9110, 12.5.1: a list of media ranges; what they are weighed with does not matter here. */
bool
answer_wants_json(const struct http_request *req)
{
	static const char wanted[] = "application/json";
	const char *accept = http_header_find(req, "Accept");

	while (accept != NULL && *accept != '\0') {
		accept += strspn(accept, " \t,");
		if (strncasecmp(accept, wanted, sizeof(wanted) - 1) == 0 &&
		    strchr(" \t,;", accept[sizeof(wanted) - 1]) != NULL)
			return true;
		accept += strcspn(accept, ",");
	}
	return false;
}

void
person_ref_write(struct json_writer *w, const char *name, const struct mu_uuid *person_id,
    const char *display_name, const char *uid)
{
	json_object_begin(w, name);
	json_uuid(w, "id", person_id);
	json_text(w, "name", display_name);
	json_text(w, "uid", uid);
	json_object_end(w);
}

static int
by_id(const void *x, const void *y)
{
	const struct store_person *a = x, *b = y;

	return memcmp(&a->person_id, &b->person_id, sizeof(a->person_id));
}

const struct store_person *
people_find(const struct store_people *people, const struct mu_uuid *person_id)
{
	struct store_person key = { .person_id = *person_id };

	return people->count == 0 ? NULL :
	    bsearch(&key, people->list, people->count, sizeof(*people->list), by_id);
}

void
person_ref_of(struct json_writer *w, const char *name, const struct store_people *people,
    const struct mu_uuid *person_id)
{
	const struct store_person *p = people_find(people, person_id);

	person_ref_write(w, name, person_id, p == NULL ? "" : store_person_name(p), p == NULL ? "" :
	    p->uid);
}

enum mu_rc
people_read(struct store *store, const struct mu_uuid *ids, size_t count,
    struct store_people *out_people,
    struct mu_err *err)
{
	*out_people = (struct store_people){ NULL, 0 };
	if (count == 0)
		return MU_OK;
	if (store_person_read_ids(store, ids, count, out_people, err) != MU_OK)
		return err->rc;
	if (out_people->count > 0)
		qsort(out_people->list, out_people->count, sizeof(*out_people->list), by_id);
	return MU_OK;
}

void
candidates_write(const struct store_people *people, struct mu_buf *b)
{
	struct json_writer w;

	json_begin(&w, b);
	json_list_begin(&w, NULL);
	for (size_t i = 0; i < people->count && i < ACTION_CANDIDATES_MAX; i++) {
		const struct store_person *p = &people->list[i];

		person_ref_write(&w, NULL, &p->person_id, store_person_name(p), p->uid);
	}
	json_list_end(&w);
	json_end(&w);
}

enum mu_rc
administrators_count(struct store *store, int64_t *out_count, struct mu_err *err)
{
	MU_AUTO(store_administrators_clear) struct store_administrators all = { NULL, 0 };
	int64_t count = 0;

	if (store_administrator_list(store, &all, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < all.count; i++)
		if (all.list[i].active && all.list[i].state == PERSON_ACTIVE &&
		    !all.list[i].blocked)
			count++;
	*out_count = count;
	return MU_OK;
}

void
moment_write(struct json_writer *w, const char *name, int64_t at_s)
{
	if (at_s == 0)
		json_none(w, name);
	else
		json_time(w, name, at_s);
}
