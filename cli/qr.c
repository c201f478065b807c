#include "cli/qr.h"

#include <qrencode.h>

#include "cli/show.h"

#include <string.h>

#define MARGIN		4
/* the second pair where there are 256 colours */
#define BLACK_ON_WHITE	"\033[30;47;38;5;16;48;5;231m"
#define AS_BEFORE	"\033[0m\n"

static bool
is_black(const QRcode *code, int x, int y)
{
	return x >= 0 && y >= 0 && x < code->width && y < code->width &&
	    (code->data[y * code->width + x] & 1) != 0;
}

enum mu_rc
qr_format(const char *text, struct mu_buf *b, struct mu_err *err)
{
	static const char *const blocks[2][2] = { { " ", "\u2584" }, { "\u2580", "\u2588" } };
	QRcode *code = QRcode_encodeString(text, 0, QR_ECLEVEL_M, QR_MODE_8, 1);

	if (code == NULL)
		return mu_fail_errno(err, MU_EINPUT, "no QR code can be made of it");
	for (int y = -MARGIN; y < code->width + MARGIN; y += 2) {
		mu_buf_text_add(b, BLACK_ON_WHITE);
		for (int x = -MARGIN; x < code->width + MARGIN; x++)
			mu_buf_text_add(b, blocks[is_black(code, x, y)][is_black(code, x, y + 1)]);
		mu_buf_text_add(b, AS_BEFORE);
	}
	explicit_bzero(code->data, (size_t)code->width * (size_t)code->width);
	QRcode_free(code);
	return MU_OK;
}

void
qr_show(const struct cli *c, const char *uri, bool wanted)
{
	MU_AUTO(mu_buf_wipe) struct mu_buf code = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;

	if (wanted && c->is_terminal && qr_format(uri, &code, &err) == MU_OK)
		(void)fputs(mu_buf_text(&code), c->out);
	show_line(c->out, "%s", uri);
	(void)fflush(c->out);
}
