#include "cli/secret.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* What would leave the terminal without its echo. */
static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
static volatile sig_atomic_t caught;

static void
on_signal(int number)
{
	caught = number;
}

enum mu_rc
secret_line_read(int fd, struct mu_secret *out_line, struct mu_err *err)
{
	char line[SECRET_LINE_MAX_BYTES];
	enum mu_rc rc = MU_OK;
	size_t bytes = 0;
	ssize_t got;
	char c = 0;

	while ((got = read(fd, &c, 1)) == 1 && c != '\n') {
		if (bytes < sizeof(line))
			line[bytes] = c;
		bytes++;
	}
	if (got < 0)
		rc = mu_fail_errno(err, MU_EINPUT, "nothing could be read");
	else if (got == 0 && bytes == 0)
		rc = mu_fail(err, MU_EINPUT, "the input has ended");
	else if (bytes > sizeof(line))
		rc = mu_fail(err, MU_EINPUT, "more than %d bytes in one line",
		    SECRET_LINE_MAX_BYTES);
	else	/* the last line may do without its end */
		mu_secret_set(out_line, line, bytes);
	explicit_bzero(line, sizeof(line));
	return rc;
}

/*
 * Asks and reads with the signals caught, so that the terminal is as before when they take their course.
 * The question stands when what is typed no longer shows: an answer given at once is not lost.
 */
static enum mu_rc
terminal_read(int tty, const char *prompt, bool hidden, struct mu_secret *out_line, struct mu_err *err)
{
	struct sigaction catch = { .sa_handler = on_signal }, before[MU_COUNT(signals)];
	struct termios shown, quiet;
	bool is_hidden = hidden && tcgetattr(tty, &shown) == 0;
	enum mu_rc rc;

	if (hidden && !is_hidden)
		return mu_fail_errno(err, MU_ECONFIG, "the terminal cannot hide what is typed");
	caught = 0;
	for (size_t i = 0; i < MU_COUNT(signals); i++)
		(void)sigaction(signals[i], &catch, &before[i]);
	if (is_hidden) {
		quiet = shown;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		quiet.c_lflag |= ECHONL;
		(void)tcsetattr(tty, TCSAFLUSH, &quiet);
	}
	if (write(tty, prompt, strlen(prompt)) < 0)
		rc = mu_fail_errno(err, MU_ECONFIG, "the terminal takes no question");
	else
		rc = secret_line_read(tty, out_line, err);
	if (is_hidden)
		(void)tcsetattr(tty, TCSADRAIN, &shown);
	for (size_t i = 0; i < MU_COUNT(signals); i++)
		(void)sigaction(signals[i], &before[i], NULL);
	if (caught != 0)
		(void)raise(caught);
	return rc;
}

static enum mu_rc
terminal_ask(const char *prompt, bool hidden, struct mu_secret *out_line, struct mu_err *err)
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	enum mu_rc rc;

	if (tty < 0)
		return mu_fail(err, MU_ECONFIG,
		    "there is no terminal to ask on: --secrets-stdin reads "
		    "passwords and codes from standard input, a line each");
	rc = terminal_read(tty, prompt, hidden, out_line, err);
	(void)close(tty);
	return rc;
}

enum mu_rc
secret_ask(const struct cli *c, const char *prompt, bool hidden, struct mu_secret *out_secret,
    struct mu_err *err)
{
	MU_AUTO(mu_secret_clear) struct mu_secret line = MU_SECRET_INIT;
	enum mu_rc rc;

	(void)fflush(c->out);
	rc = c->secrets_stdin ? secret_line_read(STDIN_FILENO, &line, err) :
	    terminal_ask(prompt, hidden, &line, err);
	if (rc != MU_OK)
		return mu_wrap(err, "%.*s", (int)strcspn(prompt, ":"), prompt);
	if (line.size_bytes == 0)
		return mu_fail(err, MU_EINPUT, "%.*s: nothing was given, nothing was done",
		    (int)strcspn(prompt, ":"), prompt);
	if (memchr(line.bytes, '\0', line.size_bytes) != NULL)
		return mu_fail(err, MU_EINPUT, "%.*s: it holds a NUL", (int)strcspn(prompt, ":"),
		    prompt);
	mu_secret_move(out_secret, &line);
	return MU_OK;
}

enum mu_rc
secret_code_ask(const struct cli *c, const char *prompt, struct mu_secret *out_code,
    struct mu_err *err)
{
	size_t kept = 0;

	if (secret_ask(c, prompt, false, out_code, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < out_code->size_bytes; i++)
		if (strchr(" \t\r", out_code->bytes[i]) == NULL)
			out_code->bytes[kept++] = out_code->bytes[i];
	out_code->bytes[kept] = '\0';
	out_code->size_bytes = kept;
	return kept > 0 ? MU_OK : mu_fail(err, MU_EINPUT, "no code was given, nothing was done");
}

enum mu_rc
secret_user_ask(const struct cli *c, const char *given, char **out_user, struct mu_err *err)
{
	MU_AUTO(mu_secret_clear) struct mu_secret line = MU_SECRET_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf prompt = MU_BUF_INIT;
	const struct passwd *unix_user = getpwuid(getuid());
	const char *fallback = unix_user == NULL ? "" : unix_user->pw_name;

	mu_buf_format(&prompt, fallback[0] == '\0' ? "User: " : "User [%s]: ", fallback);
	if (given == NULL && !c->secrets_stdin && terminal_ask(prompt.data, false, &line,
	    err) != MU_OK)
		return err->rc;
	if (given == NULL)
		given = line.size_bytes > 0 ? mu_secret_text(&line) : fallback;
	if (given[0] == '\0')
		return mu_fail(err, MU_EINPUT, "say who logs in: --user NAME");
	*out_user = mu_strdup(given);
	return MU_OK;
}
