/*
 * http/page.h - HTML pages without script
 *
 * One frame for all: language, heading, one inline style that the Content-Security-Policy names by
 * its hash. Nothing is loaded, framed, cached or referred from.
 */
#ifndef HTTP_PAGE_H
#define HTTP_PAGE_H

#include "http/server.h"
#include "base/buf.h"

/* Appends text with & < > " ' escaped: fit for content and for quoted attributes. */
void http_html_text(struct mu_buf *b, const char *text);

/*
 * Answers with a page, req is gone. title is text, main the HTML inside <main>, wiped by the caller
 * if need be. headers as in http_answer.
 */
void http_page_answer(struct http_request *req, int status, const char *title,
    const struct mu_buf *main, const struct http_header *headers);

#endif
