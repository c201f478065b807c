#include "base/log.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdarg.h>
#include <unistd.h>

static const char *process_name = "musterd";

void
mu_log_process(const char *name)
{
	process_name = name;
}

static void
line_write(const char *event, const struct mu_err *err, va_list ap)
{
	MU_AUTO(mu_buf_clear) struct mu_buf line = MU_BUF_INIT;
	const char *key;

	mu_buf_text_add(&line, "at=");
	mu_time_format(&line, mu_now_s());
	mu_buf_format(&line, " process=%s event=%s", process_name, event);
	while ((key = va_arg(ap, const char *)) != NULL) {
		const char *value = va_arg(ap, const char *);

		mu_buf_format(&line, " %s=", key);
		mu_field_format(&line, value == NULL ? "" : value);
	}
	if (err != NULL) {
		mu_buf_format(&line, " rc=%s text=", mu_rc_name(err->rc));
		mu_field_format(&line, err->text);
	}
	mu_buf_char_add(&line, '\n');
	(void)!write(STDERR_FILENO, line.data, line.size_bytes);
}

void
mu_log(const char *event, ...)
{
	va_list ap;

	va_start(ap, event);
	line_write(event, NULL, ap);
	va_end(ap);
}

void
mu_log_err(const struct mu_err *err, const char *event, ...)
{
	va_list ap;

	va_start(ap, event);
	line_write(event, err, ap);
	va_end(ap);
}
