/* resize: pictures from file to file. */
#include "command/command.h"

static int run(const px_options *options)
{
    return px_options_fail(options, PX_INTERNAL, NULL);
}

const px_command px_command_resize = { "resize", "IN… OUT", "Resize pictures from file to file", NULL, 2, -1, run };
