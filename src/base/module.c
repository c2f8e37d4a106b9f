/* dlopen by plain soname, so that the package's own folder is searched like for linked libraries. */
#include "base/module.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static px_status load(px_module *module, px_error *err)
{
    void *handle = dlopen(module->soname, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return px_fail(err, PX_BAD_CONFIG, "cannot load %s (%s); install %s", module->soname, dlerror(), module->package);
    for (size_t i = 0; i < module->symbol_count; i++)
        if (!dlsym(handle, module->symbols[i].name)) {
            dlclose(handle);
            return px_fail(err, PX_BAD_CONFIG, "%s has no %s; install a newer %s", module->soname, module->symbols[i].name,
                           module->package);
        }
    for (size_t i = 0; i < module->symbol_count; i++) {
        void *symbol = dlsym(handle, module->symbols[i].name);
        memcpy(module->symbols[i].target, &symbol, sizeof symbol); /* ISO C has no cast from void * to a function */
    }
    return PX_OK;
}

px_status px_module_load(px_module *module, px_error *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    if (atomic_load(&module->loaded))
        return PX_OK;
    pthread_mutex_lock(&lock);
    px_status status = atomic_load(&module->loaded) ? PX_OK : load(module, err);
    if (status == PX_OK)
        atomic_store(&module->loaded, true);
    pthread_mutex_unlock(&lock);
    return status;
}
