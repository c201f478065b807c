/*
 * measure/copy.c - how fast PostgreSQL hands out rows: COPY TO STDOUT of tables, every row received
 *
 *	measure_copy TABLE...
 *
 * The store is where libpq's environment says. Prints one JSON object; connecting is not counted.
 */
#include <err.h>
#include <stdio.h>

#include <libpq-fe.h>

#include "measure/reader.h"

static void
table_copy(PGconn *pg, const char *table, struct reader_count *count)
{
	char sql[128], *row = NULL;
	PGresult *result;
	int size;

	(void)snprintf(sql, sizeof(sql), "COPY %s TO STDOUT", table);
	result = PQexec(pg, sql);
	if (PQresultStatus(result) != PGRES_COPY_OUT)
		errx(1, "%s: %s", sql, PQerrorMessage(pg));
	PQclear(result);
	while ((size = PQgetCopyData(pg, &row, 0)) > 0) {
		count->entries++;
		count->bytes += (uint64_t)size;
		PQfreemem(row);
	}
	result = PQgetResult(pg);
	if (size != -1 || PQresultStatus(result) != PGRES_COMMAND_OK)
		errx(1, "%s: %s", sql, PQerrorMessage(pg));
	PQclear(result);
	while (PQgetResult(pg) != NULL)
		;
}

int
main(int argc, char **argv)
{
	struct reader_count count = { 0, 0, 0 };
	PGconn *pg = PQconnectdb("");
	double begun_s;

	if (PQstatus(pg) != CONNECTION_OK)
		errx(1, "store: %s", PQerrorMessage(pg));
	begun_s = reader_now();
	for (int i = 1; i < argc; i++)
		table_copy(pg, argv[i], &count);
	(void)printf("{\"rows\": %ju, \"bytes\": %ju, \"seconds\": %.6f}\n", (uintmax_t)count.entries,
	    (uintmax_t)count.bytes, reader_now() - begun_s);
	PQfinish(pg);
	return 0;
}
