#include "sandbox/landlock_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/landlock.h, newer than Debian 12's; the numbers are the same on all machines. */
#define CREATE_RULESET		444
#define ADD_RULE		445
#define RESTRICT_SELF		446
#define CREATE_VERSION		(1u << 0)
#define RULE_PATH_BENEATH	1
#define FS_READ_FILE		(UINT64_C(1) << 2)
#define FS_READ_DIR		(UINT64_C(1) << 3)
#define NET_BIND_TCP		(UINT64_C(1) << 0)
#define NET_CONNECT_TCP		(UINT64_C(1) << 1)
#define SCOPE_ALL		UINT64_C(3)	/* abstract sockets, signals */

struct ruleset {
	uint64_t fs, net, scoped;
};

struct path_rule {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

int
landlock_abi(void)
{
	long abi = syscall(CREATE_RULESET, NULL, 0, CREATE_VERSION);

	return abi < 0 ? 0 : (int)abi;
}

/* How many file rights a version knows: they are the lowest bits. */
static uint64_t
fs_rights(int abi)
{
	static const unsigned bits[] = { 0, 13, 14, 15, 15, 16 };
	const unsigned last = sizeof(bits) / sizeof(bits[0]) - 1;

	return (UINT64_C(1) << bits[(unsigned)abi > last ? last : (unsigned)abi]) - 1;
}

/* What is not there cannot be read either. */
static enum mu_rc
path_allow(int ruleset, const char *path, struct mu_err *err)
{
	struct path_rule rule = { .fd = open(path, O_PATH | O_CLOEXEC) };
	struct stat st;
	enum mu_rc rc = MU_OK;

	if (rule.fd < 0)
		return MU_OK;
	rule.allowed = FS_READ_FILE;
	if (fstat(rule.fd, &st) == 0 && S_ISDIR(st.st_mode))
		rule.allowed |= FS_READ_DIR;
	if (syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0) != 0)
		rc = mu_fail_errno(err, MU_EBROKEN, "landlock: cannot allow %s", path);
	(void)close(rule.fd);
	return rc;
}

static enum mu_rc
paths_allow(int ruleset, const char *const *paths, struct mu_err *err)
{
	for (; paths != NULL && *paths != NULL; paths++)
		if (path_allow(ruleset, *paths, err) != MU_OK)
			return err->rc;
	return MU_OK;
}

enum mu_rc
landlock_close(int abi, const char *const *readable, const char *const *more, bool connect,
    struct mu_err *err)
{
	struct ruleset attr = {
		.fs = fs_rights(abi),
		.net = NET_BIND_TCP | (connect ? 0 : NET_CONNECT_TCP),
		.scoped = SCOPE_ALL,
	};
	size_t size = abi < LANDLOCK_ABI_NETWORK ? offsetof(struct ruleset, net) :
	    abi < LANDLOCK_ABI_SCOPE ? offsetof(struct ruleset, scoped) : sizeof(attr);
	int ruleset;
	enum mu_rc rc;

	if (abi == 0)
		return MU_OK;
	ruleset = (int)syscall(CREATE_RULESET, &attr, size, 0);
	if (ruleset < 0)
		return mu_fail_errno(err, MU_EBROKEN, "landlock: cannot make a ruleset");
	rc = paths_allow(ruleset, readable, err);
	if (rc == MU_OK)
		rc = paths_allow(ruleset, more, err);
	if (rc == MU_OK && syscall(RESTRICT_SELF, ruleset, 0) != 0)
		rc = mu_fail_errno(err, MU_EBROKEN, "landlock: cannot close it");
	(void)close(ruleset);
	return rc;
}
