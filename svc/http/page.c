#include "http/page.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include <stdlib.h>
#include <string.h>

static const char style[] =
    "body{font:1.1rem/1.5 system-ui,sans-serif;margin:0;color:#1b1b1b;background:#fff}"
    "main{max-width:34rem;margin:2rem auto;padding:0 1rem}"
    "label{display:block;font-weight:600;margin:1rem 0 .25rem}"
    "input{font:inherit;width:100%;box-sizing:border-box;padding:.5rem;border:2px solid #4a4a4a}"
    "button{font:inherit;margin-top:1.5rem;padding:.5rem 1.5rem;border:2px solid #0b4f8a;"
    "background:#0b4f8a;color:#fff}"
    "input:focus,button:focus,a:focus{outline:3px solid #d98200;outline-offset:2px}"
    ".refusal{border-left:.5rem solid #a4161a;padding:.5rem 1rem;background:#fbeaea}"
    "code{display:block;font-size:1.25rem;padding:.75rem;background:#eef2f6;overflow-wrap:anywhere;"
    "user-select:all}";

void
http_html_text(struct mu_buf *b, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '&':	mu_buf_text_add(b, "&amp;"); break;
		case '<':	mu_buf_text_add(b, "&lt;"); break;
		case '>':	mu_buf_text_add(b, "&gt;"); break;
		case '"':	mu_buf_text_add(b, "&quot;"); break;
		case '\'':	mu_buf_text_add(b, "&#39;"); break;
		default:	mu_buf_char_add(b, *text); break;
		}
	}
}

/* The policy: nothing but our own style, known by its SHA-256 (CSP 3, 2.3.1). */
static void
policy_format(struct mu_buf *b)
{
	unsigned char digest[32];
	gnutls_datum_t raw = { digest, sizeof(digest) }, text = { NULL, 0 };

	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, style, sizeof(style) - 1, digest) != 0 ||
	    gnutls_base64_encode2(&raw, &text) != 0)
		abort();
	mu_buf_text_add(b, "default-src 'none'; style-src 'sha256-");
	mu_buf_add(b, text.data, text.size);
	mu_buf_text_add(b, "'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'");
	gnutls_free(text.data);
}

#define HEADERS_MAX 12

void
http_page_answer(struct http_request *req, int status, const char *title,
    const struct mu_buf *main, const struct http_header *headers)
{
	MU_AUTO(mu_buf_wipe) struct mu_buf page = MU_BUF_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf policy = MU_BUF_INIT, name = MU_BUF_INIT;
	struct http_header all[HEADERS_MAX] = {
		{ "Content-Security-Policy", NULL },
		{ "X-Content-Type-Options", "nosniff" },
		{ "X-Frame-Options", "DENY" },
		{ "Referrer-Policy", "no-referrer" },
		{ "Cross-Origin-Opener-Policy", "same-origin" },
		{ "Permissions-Policy", "camera=(), microphone=(), geolocation=()" },
	};
	size_t count = 6;

	policy_format(&policy);
	all[0].value = policy.data;
	for (; headers != NULL && headers->name != NULL && count < HEADERS_MAX - 1; headers++)
		all[count++] = *headers;
	http_html_text(&name, title);
	mu_buf_reserve(&page, main->size_bytes + sizeof(style) + name.size_bytes * 2 + 512);
	mu_buf_format(&page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	    "<title>%s</title>\n<style>%s</style>\n</head>\n<body>\n<main>\n<h1>%s</h1>\n",
	    mu_buf_text(&name), style, mu_buf_text(&name));
	mu_buf_add(&page, main->data, main->size_bytes);
	mu_buf_text_add(&page, "</main>\n</body>\n</html>\n");
	http_answer(req, status, "text/html; charset=utf-8", page.data, page.size_bytes, all);
}
