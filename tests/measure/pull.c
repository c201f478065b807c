/*
 * measure/pull.c - platforms that ask for something all the time: many connections, each kept alive
 *
 *	measure_pull PORT CA CERTIFICATE KEY CONNECTIONS SECONDS
 *
 * Reads paths from standard input, one a line. Each connection is opened before the time begins and
 * asks for one path after another, the next when it has been answered; any answer but 200 ends the
 * program. Prints one JSON object; milliseconds are those between a request and its answer.
 */
#include <err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure/reader.h"
#include "measure/tls.h"

#define PATH_MAX_BYTES	1024
#define CONNECTIONS_MAX	1024

struct asker {
	pthread_t thread;
	SSL *tls;
	double *ms;
	size_t asked;
};

static char **paths;
static size_t path_count;
static atomic_size_t path_next;
static double end_s;

static void
paths_read(void)
{
	char line[PATH_MAX_BYTES];

	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		paths = mu_alloc_again(paths, path_count + 1, sizeof(*paths));
		paths[path_count++] = mu_strdup(line);
	}
	if (path_count == 0)
		errx(2, "standard input has no path");
}

static void *
ask(void *ctx)
{
	struct asker *a = ctx;
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	double begun_s = reader_now();

	while (begun_s < end_s) {
		const char *path = paths[atomic_fetch_add(&path_next, 1) % path_count];
		int status = tls_get(a->tls, path, &body);
		double now_s = reader_now();

		if (status != 200)
			errx(1, "%s: %d %s", path, status, mu_buf_text(&body));
		if ((a->asked & (a->asked + 1)) == 0)	/* room is doubled */
			a->ms = mu_alloc_again(a->ms, 2 * (a->asked + 1), sizeof(*a->ms));
		a->ms[a->asked++] = (now_s - begun_s) * 1e3;
		begun_s = now_s;
	}
	return NULL;
}

static int
order(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
told(const struct asker *askers, size_t count, double seconds)
{
	size_t asked = 0, at = 0;
	double *all;

	for (size_t i = 0; i < count; i++)
		asked += askers[i].asked;
	if (asked == 0)
		errx(1, "nothing was answered in time");
	all = mu_alloc(asked * sizeof(*all));
	for (size_t i = 0; i < count; at += askers[i++].asked)
		(void)memcpy(all + at, askers[i].ms, askers[i].asked * sizeof(*all));
	qsort(all, asked, sizeof(*all), order);
	(void)printf("{\"requests\": %zu, \"seconds\": %.6f, \"p50_ms\": %.4f, \"p99_ms\": %.4f}\n",
	    asked, seconds, all[asked / 2], all[asked * 99 / 100]);
}

int
main(int argc, char **argv)
{
	struct asker askers[CONNECTIONS_MAX] = { { .asked = 0 } };
	size_t count = argc == 7 ? strtoul(argv[5], NULL, 10) : 0;
	SSL_CTX *client;
	double begun_s;

	if (count == 0 || count > CONNECTIONS_MAX)
		errx(2, "use: measure_pull PORT CA CERTIFICATE KEY CONNECTIONS SECONDS");
	paths_read();
	client = tls_client(argv[2], argv[3], argv[4]);
	for (size_t i = 0; i < count; i++)
		askers[i].tls = tls_connect(client, atoi(argv[1]));
	begun_s = reader_now();
	end_s = begun_s + atof(argv[6]);
	for (size_t i = 0; i < count; i++)
		if (pthread_create(&askers[i].thread, NULL, ask, &askers[i]) != 0)
			errx(1, "no thread");
	for (size_t i = 0; i < count; i++)
		(void)pthread_join(askers[i].thread, NULL);
	told(askers, count, reader_now() - begun_s);
	return 0;
}
