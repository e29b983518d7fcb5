/*
 * Places where a process may die, one between any two steps of the counters' protocol. Only with -DGH_KILL_POINTS (test builds); without it
 * nothing of this is compiled.
 *
 *   GATEHOUSE_KILL=NAME:COUNT   the process ends by SIGKILL when it passes NAME (or "any") for the COUNT-th time, counted from 1
 *   gh_kill_hook                is called at each instead, when it is set: a harness in the same process decides by itself
 */
#ifndef GH_KILL_POINT_H
#define GH_KILL_POINT_H

#ifdef GH_KILL_POINTS

extern void (*gh_kill_hook)(const char *name);

void gh_kill_point(const char *name);

#else

#define gh_kill_point(name) ((void) 0)

#endif

#endif
