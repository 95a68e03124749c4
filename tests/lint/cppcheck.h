/*
 * For cppcheck alone, which is not shown the headers of libraries: their loops, so that it can
 * follow the code around them.
 */
#ifndef TESTS_LINT_CPPCHECK_H
#define TESTS_LINT_CPPCHECK_H

#define HASH_ITER(hh, head, el, tmp)                                                               \
    for ((el) = (head), (tmp) = (el) ? (el)->hh.next : 0; (el);                                    \
         (el) = (tmp), (tmp) = (tmp) ? (tmp)->hh.next : 0)
#define HASH_FIND(hh, head, key, len, out) (out) = hash_find(head, key, len)
#define HASH_FIND_STR(head, key, out)      (out) = hash_find(head, key, 0)
#define HASH_FIND_INT(head, key, out)      (out) = hash_find(head, key, 0)
#define HASH_FIND_PTR(head, key, out)      (out) = hash_find(head, key, 0)
#define DL_FOREACH(head, el)               for ((el) = (head); (el); (el) = (el)->next)
#define LL_FOREACH(head, el)               DL_FOREACH (head, el)
#define DL_FOREACH_SAFE(head, el, tmp)                                                             \
    for ((el) = (head); (el) && ((tmp) = (el)->next, 1); (el) = (tmp))
#define LL_FOREACH_SAFE(head, el, tmp) DL_FOREACH_SAFE (head, el, tmp)
#define json_object_foreach(object, key, value)                                                    \
    for ((key) = json_first(object); (key) && ((value) = json_value(key)); (key) = json_next(key))
#define json_array_foreach(array, index, value)                                                    \
    for ((index) = 0;                                                                              \
         (index) < json_array_size(array) && ((value) = json_array_get(array, index)); (index)++)

#endif
