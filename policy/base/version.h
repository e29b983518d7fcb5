/* Of the module and the command alike; "0.1.0" until the first release. */
#ifndef GH_VERSION_H
#define GH_VERSION_H

#define GH_VERSION "0.1.0"

#endif
