/*
 * crypto/fault.h - OpenSSL's errors in the house's form
 */
#ifndef CRYPTO_FAULT_H
#define CRYPTO_FAULT_H

#include "base/err.h"

/* mu_fail with OpenSSL's latest reason behind the text; empties its error queue. */
enum mu_rc crypto_fail(struct mu_err *err, enum mu_rc rc, const char *fmt, ...) MU_PRINTF(3, 4);

/* For what fails only when memory is out: logs and ends the process unless it is true. */
void crypto_must(int worked, const char *what);

#endif
