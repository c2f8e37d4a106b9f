/* libexpat.h - libexpat, loaded at the first XML. For base/xml.c and codec/svg.
 *
 * Its calls keep their names. */
#ifndef PX_BASE_LIBEXPAT_H
#define PX_BASE_LIBEXPAT_H

#include <expat.h>

#include "base/status.h"

#define PX_EXPAT_LIST(X) \
    X(ErrorString) X(GetCurrentLineNumber) X(GetErrorCode) X(SetEntityDeclHandler) X(Parse) X(ParserCreate) X(ParserFree) X(SetCharacterDataHandler) X(SetElementHandler) \
    X(SetStartDoctypeDeclHandler) X(SetUserData) X(StopParser)

/* px_expat.NAME is XML_NAME. */
#define PX_EXPAT_MEMBER(name) __typeof__(&XML_##name) name;
extern struct px_expat { PX_EXPAT_LIST(PX_EXPAT_MEMBER) } px_expat;
#undef PX_EXPAT_MEMBER

PX_CHECKED px_status px_expat_load(px_error *err);

#define XML_ErrorString px_expat.ErrorString
#define XML_GetCurrentLineNumber px_expat.GetCurrentLineNumber
#define XML_GetErrorCode px_expat.GetErrorCode
#define XML_SetEntityDeclHandler px_expat.SetEntityDeclHandler
#define XML_Parse px_expat.Parse
#define XML_ParserCreate px_expat.ParserCreate
#define XML_ParserFree px_expat.ParserFree
#define XML_SetCharacterDataHandler px_expat.SetCharacterDataHandler
#define XML_SetElementHandler px_expat.SetElementHandler
#define XML_SetStartDoctypeDeclHandler px_expat.SetStartDoctypeDeclHandler
#define XML_SetUserData px_expat.SetUserData
#define XML_StopParser px_expat.StopParser

#endif
