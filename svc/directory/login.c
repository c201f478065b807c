#include "directory/login.h"

#include "base/text.h"
#include "directory/link_priv.h"

#include <string.h>

struct login {
	struct directory_link *link;	/* NULL: it was never opened */
	struct mu_timer *timer;		/* says "no" or "cannot say" from the loop,
	    not from login_ask */
	enum login_answer answer;
	const char *text;
	login_answer_fn *fn;
	void *ctx;
};

static unsigned int at_once_count;	/* of this process: a flood must not become connections */

static void
login_end(struct login *login, enum login_answer answer, const char *text)
{
	login->fn(login->ctx, answer, text);
	if (login->link != NULL)
		at_once_count--;
	directory_link_close(login->link);
	mu_timer_free(login->timer);
	mu_free(login);
}

static void
login_linked(void *ctx, enum link_outcome outcome, const char *text)
{
	switch (outcome) {
	case LINK_BOUND:
		login_end(ctx, LOGIN_YES, "");
		return;
	case LINK_REFUSED:
		login_end(ctx, LOGIN_NO, text);
		return;
	case LINK_FAILED:
		login_end(ctx, LOGIN_UNKNOWN, text);
		return;
	}
}

/* login_linked ends the login, so nothing is ever read after it. */
static void
login_ready(void *ctx)
{
	(void)ctx;
}

static void
login_decided(void *ctx)
{
	struct login *login = ctx;

	login_end(login, login->answer, login->text);
}

static void
decide(struct mu_loop *loop, struct login *login, enum login_answer answer, const char *text)
{
	login->answer = answer;
	login->text = text;
	login->timer = mu_loop_timer(loop, login_decided, login);
	mu_timer_set(login->timer, 0);
}

enum mu_rc
login_prepare(const struct directory_source *source, struct mu_err *err)
{
	return directory_link_prepare(source, err);
}

void
login_ask(struct mu_loop *loop, const struct directory_source *source, const char *dn,
    const struct mu_secret *password, login_answer_fn *answer, void *ctx)
{
	struct login *login = mu_alloc_zero(1, sizeof(*login));
	struct mu_err err = MU_ERR_INIT;

	login->fn = answer;
	login->ctx = ctx;
	if (dn[0] == '\0')
		decide(loop, login, LOGIN_NO, "an empty name is never sent");
	else if (password->size_bytes == 0)
		decide(loop, login, LOGIN_NO, "an empty password is never sent");
	else if (password->size_bytes > LOGIN_PASSWORD_MAX_BYTES)
		decide(loop, login, LOGIN_NO, "the password is too long");
	else if (directory_link_check(source, &err) != MU_OK)
		decide(loop, login, LOGIN_UNKNOWN, "the source's settings cannot be right");
	else if (at_once_count == LOGIN_AT_ONCE_MAX)
		decide(loop, login, LOGIN_UNKNOWN, "too many logins at once");
	else {
		at_once_count++;
		login->link = directory_link_open(loop, source, dn, password, LOGIN_DEADLINE_MS,
		    login_linked, login_ready, login);
	}
}
