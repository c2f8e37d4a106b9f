/* (to come) */
#include "local/inside.h"
void px_joiner_stop(px_local *local) { (void)local; }
