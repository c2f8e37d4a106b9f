/* The table of commands. */
#include <stdio.h>

int main(void)
{
    puts("pixmill");
    return 0;
}
