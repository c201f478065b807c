#include "base/buf.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
out_of_memory(size_t bytes_count)
{
	(void)fprintf(stderr, "event=memory.out bytes=%zu\n", bytes_count);
	abort();
}

void *
mu_alloc(size_t bytes_count)
{
	void *p = malloc(bytes_count == 0 ? 1 : bytes_count);

	if (p == NULL)
		out_of_memory(bytes_count);
	return p;
}

void *
mu_alloc_zero(size_t count, size_t each_bytes)
{
	void *p = calloc(count == 0 ? 1 : count, each_bytes == 0 ? 1 : each_bytes);

	if (p == NULL)
		out_of_memory(count);
	return p;
}

void *
mu_alloc_again(void *p, size_t count, size_t each_bytes)
{
	void *q = reallocarray(p, count == 0 ? 1 : count, each_bytes);

	if (q == NULL)
		out_of_memory(count);
	return q;
}

char *
mu_strdup(const char *text)
{
	return text == NULL ? NULL : mu_strndup(text, strlen(text));
}

char *
mu_strndup(const char *text, size_t bytes_count)
{
	char *copy = mu_alloc(bytes_count + 1);

	(void)memcpy(copy, text, bytes_count);
	copy[bytes_count] = '\0';
	return copy;
}

void
mu_free(void *p)
{
	free(p);
}

void
mu_alloc_trim(void)
{
	(void)malloc_trim(0);
}

void
mu_freep(void *pp)
{
	void *p;

	(void)memcpy(&p, pp, sizeof(p));
	free(p);
	p = NULL;
	(void)memcpy(pp, &p, sizeof(p));
}

void
mu_buf_clear(struct mu_buf *b)
{
	free(b->data);
	*b = (struct mu_buf)MU_BUF_INIT;
}

void
mu_buf_reset(struct mu_buf *b)
{
	b->size_bytes = 0;
	if (b->data != NULL)
		b->data[0] = '\0';
}

void
mu_buf_wipe(struct mu_buf *b)
{
	if (b->data != NULL)
		explicit_bzero(b->data, b->room_bytes);
	mu_buf_clear(b);
}

void
mu_buf_reserve(struct mu_buf *b, size_t more_bytes)
{
	size_t need = b->size_bytes + more_bytes + 1, room = b->room_bytes;
	char *data;

	if (need <= room)
		return;
	if (room < 64)
		room = 64;
	while (room < need)
		room *= 2;
	/* Not realloc(3): it would leave a copy behind, out of mu_buf_wipe's reach. */
	data = mu_alloc(room);
	if (b->data != NULL) {
		(void)memcpy(data, b->data, b->size_bytes);
		explicit_bzero(b->data, b->room_bytes);
		free(b->data);
	}
	b->data = data;
	b->room_bytes = room;
	b->data[b->size_bytes] = '\0';
}

void
mu_buf_add(struct mu_buf *b, const void *bytes, size_t bytes_count)
{
	mu_buf_reserve(b, bytes_count);
	if (bytes_count > 0)
		(void)memcpy(b->data + b->size_bytes, bytes, bytes_count);
	b->size_bytes += bytes_count;
	b->data[b->size_bytes] = '\0';
}

void
mu_buf_number_add(struct mu_buf *b, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	mu_buf_add(b, digits + at, sizeof(digits) - at);
}

void
mu_buf_column_add(struct mu_buf *b, const void *bytes, size_t bytes_count)
{
	mu_buf_number_add(b, bytes_count);
	mu_buf_char_add(b, ':');
	mu_buf_add(b, bytes, bytes_count);
}

void
mu_buf_text_add(struct mu_buf *b, const char *text)
{
	mu_buf_add(b, text, strlen(text));
}

void
mu_buf_char_add(struct mu_buf *b, char c)
{
	mu_buf_add(b, &c, 1);
}

void
mu_buf_format(struct mu_buf *b, const char *fmt, ...)
{
	va_list ap;
	int wanted;

	va_start(ap, fmt);
	wanted = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (wanted < 0)
		return;
	mu_buf_reserve(b, (size_t)wanted);
	va_start(ap, fmt);
	(void)vsnprintf(b->data + b->size_bytes, (size_t)wanted + 1, fmt, ap);
	va_end(ap);
	b->size_bytes += (size_t)wanted;
}

void
mu_buf_drop_front(struct mu_buf *b, size_t bytes_count)
{
	if (bytes_count == 0)
		return;
	b->size_bytes -= bytes_count;
	(void)memmove(b->data, b->data + bytes_count, b->size_bytes);
	b->data[b->size_bytes] = '\0';
}

const char *
mu_buf_text(const struct mu_buf *b)
{
	return b->data == NULL ? "" : b->data;
}
