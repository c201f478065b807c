/*
 * base/attr.h - the three compiler attributes that the house uses, and what is made of them
 *
 * MU_AUTO ends a value on every way out of its block; MU_TAKE hands a pointer over and leaves
 * NULL behind, so that MU_AUTO then ends nothing.
 */
#ifndef BASE_ATTR_H
#define BASE_ATTR_H

#include <stddef.h>

#define MU_AUTO(end)		__attribute__((cleanup(end)))
#define MU_PRINTF(fmt, args)	__attribute__((format(printf, fmt, args)))
#define MU_CHECKED		__attribute__((warn_unused_result))

#define MU_TAKE(p) \
	__extension__({ __typeof__(p) mu_taken = (p); (p) = NULL; mu_taken; })

#define MU_COUNT(array)		(sizeof(array) / sizeof((array)[0]))

#endif
