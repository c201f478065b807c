/*
 * crypto/password.h - a random secret that a person can read out and type
 *
 * One word of 26 letters and digits, 130 random bits: lower case without l and o, digits without 0
 * and 1, so that nothing in it looks like anything else.
 */
#ifndef CRYPTO_PASSWORD_H
#define CRYPTO_PASSWORD_H

#include "base/secret.h"

#define CRYPTO_PASSWORD_CHARS 26

void crypto_password_new(struct mu_secret *out_password);

#endif
