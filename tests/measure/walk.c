/*
 * measure/walk.c - how fast libldap reads a directory: connects, binds, looks at every value
 *
 *	measure_walk URI CA|- BIND_DN PASSWORD_FILE {BASE FILTER ATTRIBUTES}...
 *
 * Prints one JSON object; the seconds begin before the connection.
 */
#include <err.h>
#include <stdio.h>
#include <string.h>

#include "measure/reader.h"

int
main(int argc, char **argv)
{
	struct reader_count count = { 0, 0, 0 };
	double begun_s = reader_now();
	LDAP *ld;

	if (argc < 8 || (argc - 5) % 3 != 0)
		errx(2, "use: measure_walk URI CA|- BIND_DN PASSWORD_FILE {BASE FILTER ATTRIBUTES}...");
	ld = reader_open(argv[1], strcmp(argv[2], "-") == 0 ? NULL : argv[2], argv[3], argv[4]);
	for (int i = 5; i < argc; i += 3)
		reader_search(ld, argv[i], argv[i + 1], argv[i + 2], &count, NULL, NULL);
	reader_close(ld);
	(void)printf("{\"entries\": %ju, \"values\": %ju, \"bytes\": %ju, \"seconds\": %.6f,"
	    " \"cpu_seconds\": %.6f}\n", (uintmax_t)count.entries, (uintmax_t)count.values,
	    (uintmax_t)count.bytes, reader_now() - begun_s, reader_cpu());
	return 0;
}
