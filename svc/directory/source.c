#include "directory/directory.h"

#include "base/text.h"

#define REQUIRED_NAME "uid"	/* who they are on every platform */

void
directory_source_init(struct directory_source *out_source, const struct settings_source *settings,
    const struct mu_secret *bind_password)
{
	struct directory_source source = {
		.name = settings->name,
		.uri = settings->uri,
		.starttls = settings->starttls,
		.insecure_plain = settings->insecure_plain != NULL,
		.ca = settings->ca,
		.bind_dn = settings->bind_dn,
		.bind_password = bind_password,
		.people_base = settings->people_base,
		.people_filter = settings->people_filter,
		.map_count = settings->attribute_count,
		.groups_base = settings->groups_base,
		.groups_filter = settings->groups_filter,
		.group_name = settings->groups_name,
		.group_member = settings->groups_member,
		.follow = settings->follow,
		.every_ms = 1000 * settings->every_s,
		.key = settings->key,
	};

	source.map = mu_alloc_zero(source.map_count + 1, sizeof(*source.map));
	for (size_t i = 0; i < source.map_count; i++)
		source.map[i] = (struct directory_map){ .name = settings->attributes[i].name,
			.attribute = settings->attributes[i].attribute,
			.required = mu_text_equal_fold(settings->attributes[i].name,
			    REQUIRED_NAME),
			.value = settings->attributes[i].value,
			.bits = settings->attributes[i].bits };
	*out_source = source;
}

void
directory_source_clear(struct directory_source *source)
{
	mu_free(source->map);
	*source = (struct directory_source){ .name = NULL };
}
