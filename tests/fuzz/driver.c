/* libFuzzer's entry; the build says which target (-DFUZZ_ONE=fuzz_http1). */
#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	FUZZ_ONE(data, len_bytes);
	return 0;
}
