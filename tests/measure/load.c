/*
 * measure/load.c - the loader that decides nothing: reads a directory, writes rows that are given
 *
 *	measure_load URI CA|- BIND_DN PASSWORD_FILE {BASE FILTER ATTRIBUTES {TABLE FILE}... --}...
 *
 * The rows of a table lie in a file as COPY ... (FORMAT binary) wrote them, with a bigint in front
 * of the table's columns: how many entries its search must have brought before the row may be
 * written, in rising order. They go into the table by COPY, with one commit every BATCH entries;
 * tables in the order given. The store is where libpq's environment says.
 *
 * Prints one JSON object; the seconds go from before the connection to behind the last commit.
 */
#include <endian.h>
#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "base/buf.h"
#include "measure/reader.h"

#define BATCH		4096
#define TABLES_MAX	16
#define CHUNK_BYTES	65536

static const char head[19] = "PGCOPY\n\377\r\n";	/* signature, no flags, no extension */
static const char tail[2] = "\377\377";

struct rows {
	const char *table;
	const char *at, *end;		/* the file, from the next row on */
	uint64_t written;
};

struct loader {
	PGconn *pg;
	struct rows tables[TABLES_MAX];	/* of the search under way */
	size_t table_count;
	uint64_t rows;
	struct mu_buf chunk;
};

static uint64_t
number_at(const char *at, size_t bytes)
{
	uint64_t number = 0;

	for (size_t i = 0; i < bytes; i++)
		number = number << 8 | (unsigned char)at[i];
	return number;
}

static void
rows_open(struct rows *r, const char *table, const char *file)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	struct stat status;
	char *map;

	if (fd < 0 || fstat(fd, &status) != 0)
		err(1, "%s", file);
	map = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (map == MAP_FAILED || status.st_size < (off_t)(sizeof(head) + sizeof(tail)) ||
	    memcmp(map, head, sizeof(head)) != 0)
		errx(1, "%s: not written by COPY in binary", file);
	(void)close(fd);
	*r = (struct rows){ .table = table, .at = map + sizeof(head), .end = map + status.st_size };
}

static void
expect(struct loader *l, PGresult *result, ExecStatusType wanted, const char *what)
{
	if (PQresultStatus(result) != wanted)
		errx(1, "%s: %s", what, PQerrorMessage(l->pg));
	PQclear(result);
}

static void
command(struct loader *l, const char *sql)
{
	expect(l, PQexec(l->pg, sql), PGRES_COMMAND_OK, sql);
}

static void
chunk_put(struct loader *l)
{
	if (PQputCopyData(l->pg, l->chunk.data, (int)l->chunk.size_bytes) != 1)
		errx(1, "COPY: %s", PQerrorMessage(l->pg));
	mu_buf_reset(&l->chunk);
}

/* The row at r->at without its first column, if it is due. */
static bool
row_take(struct loader *l, struct rows *r, uint64_t entries)
{
	size_t columns = number_at(r->at, 2);
	const char *at = r->at + 2 + 4 + 8;
	uint16_t left = htobe16((uint16_t)(columns - 1));
	const char *from = at;

	if (columns == 0xffff || number_at(r->at + 6, 8) > entries)
		return false;
	for (size_t i = 1; i < columns; i++) {
		uint64_t size = number_at(at, 4);

		at += 4 + (size == 0xffffffff ? 0 : size);
		if (at > r->end)
			errx(1, "%s: a row is cut off", r->table);
	}
	mu_buf_add(&l->chunk, &left, sizeof(left));
	mu_buf_add(&l->chunk, from, (size_t)(at - from));
	r->at = at;
	return true;
}

static void
table_flush(struct loader *l, struct rows *r, uint64_t entries)
{
	char sql[128];

	if (number_at(r->at, 2) == 0xffff || number_at(r->at + 6, 8) > entries)
		return;
	(void)snprintf(sql, sizeof(sql), "COPY %s FROM STDIN (FORMAT binary)", r->table);
	expect(l, PQexec(l->pg, sql), PGRES_COPY_IN, sql);
	mu_buf_add(&l->chunk, head, sizeof(head));
	while (row_take(l, r, entries)) {
		l->rows++;
		if (l->chunk.size_bytes >= CHUNK_BYTES)
			chunk_put(l);
	}
	mu_buf_add(&l->chunk, tail, sizeof(tail));
	chunk_put(l);
	if (PQputCopyEnd(l->pg, NULL) != 1)
		errx(1, "%s: %s", sql, PQerrorMessage(l->pg));
	expect(l, PQgetResult(l->pg), PGRES_COMMAND_OK, sql);
	while (PQgetResult(l->pg) != NULL)
		;
}

static void
tables_flush(struct loader *l, uint64_t entries)
{
	command(l, "BEGIN");
	for (size_t i = 0; i < l->table_count; i++)
		table_flush(l, &l->tables[i], entries);
	command(l, "COMMIT");
}

static void
on_entry(void *ctx, uint64_t entries)
{
	if (entries % BATCH == 0)
		tables_flush(ctx, entries);
}

/* One search and its tables; returns the index behind its "--". */
static int
search_load(struct loader *l, LDAP *ld, int argc, char **argv, int i, struct reader_count *count)
{
	const char *base = argv[i], *filter = argv[i + 1], *attrs = argv[i + 2];

	l->table_count = 0;
	for (i += 3; i < argc && strcmp(argv[i], "--") != 0; i += 2) {
		if (i + 1 >= argc || l->table_count == TABLES_MAX)
			errx(2, "a table and its file are missing, or there are too many");
		rows_open(&l->tables[l->table_count++], argv[i], argv[i + 1]);
	}
	reader_search(ld, base, filter, attrs, count, on_entry, l);
	tables_flush(l, INT64_MAX);
	return i + 1;
}

int
main(int argc, char **argv)
{
	struct loader l = { .chunk = MU_BUF_INIT };
	struct reader_count count = { 0, 0, 0 };
	double begun_s;
	LDAP *ld;

	if (argc < 8)
		errx(2, "use: measure_load URI CA|- BIND_DN PASSWORD_FILE"
		    " {BASE FILTER ATTRIBUTES {TABLE FILE}... --}...");
	l.pg = PQconnectdb("");
	if (PQstatus(l.pg) != CONNECTION_OK)
		errx(1, "store: %s", PQerrorMessage(l.pg));
	begun_s = reader_now();
	ld = reader_open(argv[1], strcmp(argv[2], "-") == 0 ? NULL : argv[2], argv[3], argv[4]);
	for (int i = 5; i + 2 < argc;)
		i = search_load(&l, ld, argc, argv, i, &count);
	(void)printf("{\"entries\": %ju, \"rows\": %ju, \"seconds\": %.6f, \"cpu_seconds\": %.6f}\n",
	    (uintmax_t)count.entries, (uintmax_t)l.rows, reader_now() - begun_s, reader_cpu());
	reader_close(ld);
	PQfinish(l.pg);
	mu_buf_clear(&l.chunk);
	return 0;
}
