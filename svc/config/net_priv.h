/*
 * config/net_priv.h - hosts, ports and addresses as people write them
 */
#ifndef CONFIG_NET_PRIV_H
#define CONFIG_NET_PRIV_H

#include <stdbool.h>
#include <stdint.h>

/* A domain name of letters, digits and '-', as RFC 1123 2.1; not an address. */
bool config_host_valid(const char *text);
bool config_address_valid(const char *text);	/* 192.0.2.1 or 2001:db8::1 */

/*
 * Splits "host:port", "host" or "[2001:db8::1]:port" into a fresh host without brackets and a port (0
 * when there is none); false if it is anything else.
 */
bool config_authority_parse(const char *text, char **out_host, uint16_t *out_port);

/* NULL if text is such a URL, else what is wrong with it. plain: http:// will do. */
const char *config_url_fault(const char *text, bool plain);

#endif
