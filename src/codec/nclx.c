/* Which space the numbers mean. Video's curves (BT.709, BT.601, BT.2020) are taken for sRGB's, as browsers do: pictures with these numbers
 * were seen on sRGB screens. */
#include "codec/nclx.h"

#include "codec/space.h"

enum { BT709 = 1, PQ = 16, HLG = 18 };

/* H.273 table 3: the transfers that are not sRGB's. */
static const struct {
    int transfer;
    px_curve curve;
    double gamma;
} curves[] = { { 4, PX_CURVE_GAMMA, 2.2 }, { 5, PX_CURVE_GAMMA, 2.8 }, { 8, PX_CURVE_GAMMA, 1.0 }, { 17, PX_CURVE_GAMMA, 2.6 },
               { PQ, PX_CURVE_PQ, 0 }, { HLG, PX_CURVE_HLG, 0 } };

bool px_nclx_is_hdr(int transfer) { return transfer == PQ || transfer == HLG; }

px_bytes px_nclx_profile(int primaries, int transfer, bool grey)
{
    px_space space;
    px_bytes profile;
    if (!px_space_of_primaries(primaries, &space) && !px_space_of_primaries(primaries = BT709, &space))
        return (px_bytes){ 0 };
    space.curve = PX_CURVE_SRGB;
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++)
        if (curves[i].transfer == transfer) {
            space.curve = curves[i].curve;
            space.gamma = curves[i].gamma;
        }
    if (space.curve == PX_CURVE_SRGB && (primaries == BT709 || grey))
        return (px_bytes){ 0 };
    return px_space_profile(&space, grey, &profile, NULL) == PX_OK ? profile : (px_bytes){ 0 };
}
