/*
 * measure/tls.h - HTTP over mutual TLS as a platform speaks it: one connection, kept alive
 *
 * Blocking, one request at a time. The server must be "localhost" by a certificate of the CA, and
 * speak TLS 1.3. Whatever goes wrong ends the program with a message.
 */
#ifndef MEASURE_TLS_H
#define MEASURE_TLS_H

#include "base/buf.h"

#include <openssl/ssl.h>

/* A client's certificate and key, PEM. */
SSL_CTX *tls_client(const char *ca, const char *certificate, const char *key);
SSL *tls_connect(SSL_CTX *client, int port);

/* Sends bytes as they are; reads one answer: its status, and its body in *body (emptied first). */
void tls_send(SSL *tls, const char *bytes, size_t count);
int tls_answer(SSL *tls, struct mu_buf *body);

/* GET: the same in one. */
int tls_get(SSL *tls, const char *path, struct mu_buf *body);

#endif
