#ifndef HV_FLAGS_H
#define HV_FLAGS_H

/* Words for single bits, lower case; NULL where there is none for it. They live as long as the program. */

/* FS_*_FL of linux/fs.h, as FS_IOC_SETFLAGS has them. */
const char *hv_file_flag_name(__u32 flag);

/* MS_* of linux/mount.h, as mount(2) has them: the words of mount(8), where it has one. */
const char *hv_mount_flag_name(__u32 flag);

#endif
