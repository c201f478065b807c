/*
 * The codec: any bytes as the payload of any message. What is taken encodes to the same bytes again,
 * so a message has one form only.
 */
#include "ipc/message.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Decodes type, and if that went well encodes it again and ends it. */
#define TRY(number, type, name)							\
	case number: {								\
		type m;								\
										\
		if (!name##_decode(&r, &m))					\
			return 0;						\
		name##_encode(&m, &again);					\
		name##_clear(&m);						\
		break;								\
	}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	MU_AUTO(mu_buf_clear) struct mu_buf again = MU_BUF_INIT;
	struct ipc_reader r = { .at = data + 1, .end = data + size };

	if (size == 0 || size > IPC_MESSAGE_MAX_BYTES)
		return 0;
	switch (data[0]) {
	TRY(0, struct msg_config, msg_config)
	TRY(1, struct msg_named, msg_named)
	TRY(2, struct msg_peer, msg_peer)
	TRY(3, struct msg_status, msg_status)
	TRY(4, struct msg_list, msg_list)
	TRY(5, struct msg_mint, msg_mint)
	TRY(6, struct msg_minted, msg_minted)
	TRY(7, struct msg_seal, msg_seal)
	TRY(8, struct msg_issued, msg_issued)
	TRY(9, struct msg_login, msg_login)
	TRY(10, struct step, step)
	TRY(11, struct receipt, receipt)
	TRY(12, struct msg_page, msg_page)
	TRY(13, struct msg_about, msg_about)
	TRY(14, struct msg_code, msg_code)
	default:
		return 0;
	}
	if (again.size_bytes != size - 1 || memcmp(mu_buf_text(&again), data + 1, size - 1) != 0)
		abort();
	return 0;
}
