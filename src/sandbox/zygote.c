/* zygote */
#include "sandbox/sandbox.h"
int px_zygote_main(void) { return 1; }
