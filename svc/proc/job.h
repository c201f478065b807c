/*
 * proc/job.h - what a job's process says at its end
 */
#ifndef PROC_JOB_H
#define PROC_JOB_H

#include "cycle/plan.h"
#include "proc/process.h"

#define JOB_START_MS 30000		/* from the start of its process to OP_JOB_GO */

/*
 * Sends what came of the job, as fast as it is taken, and leaves the loop when all of it has gone
 * or whoever asked is away. err: MU_OK, or what it failed with, which is told and logged.
 */
void job_answer(struct process *p, struct process_peer *to, const struct cycle_told *told,
    const struct mu_err *err);

/* The body of OP_JOB_GO: false when it is malformed. */
bool job_go_take(struct ipc_reader *body, bool *out_as_json);

#endif
