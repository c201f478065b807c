/*
 * proc/supervisor.h - starts musterd's processes, watches them and brings them back
 *
 * Prepares the folders, the private PostgreSQL and the listeners, starts a process per seat of
 * proc/crew.h and joins those that are peers by channels. A process that ends is started again,
 * after 100 ms and twice as long each time up to 10 s, and its peers get new ends; what it had in
 * hand is in the store. It parses nothing but the configuration and what its children say.
 */
#ifndef PROC_SUPERVISOR_H
#define PROC_SUPERVISOR_H

/* `musterd run`: until SIGTERM or SIGINT. Returns the exit status. */
int supervisor_run(const char *config_path);

/* `musterd migrate`: brings the store to this program's version. Returns the exit status. */
int supervisor_migrate(const char *config_path);

#endif
