/*
 * Hash tables and lists: uthash and utlist from Debian, set up once for the whole project.
 *
 * Out of memory must not end the process (uthash's default is exit()): with HASH_NONFATAL_OOM an
 * add that fails leaves the element out and its hash handle's tbl NULL, which TABLE_ADDED()
 * tests.  Every table has a bound that its owner checks before adding.
 */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

#define TABLE_ADDED(element) ((element)->hh.tbl != NULL)

#endif
