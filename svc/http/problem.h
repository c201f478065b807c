/*
 * http/problem.h - refusals: RFC 9457 problem details for programs, a page for people
 */
#ifndef HTTP_PROBLEM_H
#define HTTP_PROBLEM_H

#include "http/server.h"

/* The reason phrase of a status that muster uses: "Not Found". */
const char *http_status_text(int status);

/*
 * Refuses, req is gone: application/problem+json, or an HTML page on a route for people. detail
 * says what is wrong and what to do, and repeats nothing that the client sent.
 *
 * retry_after_s  more than 0: when to ask again (Retry-After)
 * headers        as in http_answer
 */
void http_refuse(struct http_request *req, int status, int64_t retry_after_s, const char *detail,
    const struct http_header *headers);

/* The same for what a call of ours ended with: rc gives the status, ERETRY also Retry-After. */
void http_refuse_err(struct http_request *req, const struct mu_err *err);

#endif
