#include <linux/fs.h>
#include <linux/mount.h>
#include "KernelABI.h"

const char *hv_file_flag_name(__u32 flag)
{
	switch (flag) {
	case FS_SECRM_FL: return "secrm";
	case FS_UNRM_FL: return "undelete";
	case FS_COMPR_FL: return "compr";
	case FS_SYNC_FL: return "sync";
	case FS_IMMUTABLE_FL: return "immutable";
	case FS_APPEND_FL: return "append";
	case FS_NODUMP_FL: return "nodump";
	case FS_NOATIME_FL: return "noatime";
	case FS_NOCOMP_FL: return "nocomp";
	case FS_ENCRYPT_FL: return "encrypt";
	case FS_INDEX_FL: return "index";
	case FS_JOURNAL_DATA_FL: return "journal_data";
	case FS_NOTAIL_FL: return "notail";
	case FS_DIRSYNC_FL: return "dirsync";
	case FS_TOPDIR_FL: return "topdir";
	case FS_HUGE_FILE_FL: return "huge_file";
	case FS_EXTENT_FL: return "extents";
	case FS_VERITY_FL: return "verity";
	case FS_EA_INODE_FL: return "ea_inode";
	case FS_NOCOW_FL: return "nocow";
	case FS_DAX_FL: return "dax";
	case FS_INLINE_DATA_FL: return "inline_data";
	case FS_PROJINHERIT_FL: return "projinherit";
	case FS_CASEFOLD_FL: return "casefold";
	default: return NULL;
	}
}

const char *hv_mount_flag_name(__u32 flag)
{
	switch (flag) {
	case MS_RDONLY: return "ro";
	case MS_NOSUID: return "nosuid";
	case MS_NODEV: return "nodev";
	case MS_NOEXEC: return "noexec";
	case MS_SYNCHRONOUS: return "sync";
	case MS_REMOUNT: return "remount";
	case MS_MANDLOCK: return "mand";
	case MS_DIRSYNC: return "dirsync";
	case MS_NOSYMFOLLOW: return "nosymfollow";
	case MS_NOATIME: return "noatime";
	case MS_NODIRATIME: return "nodiratime";
	case MS_BIND: return "bind";
	case MS_MOVE: return "move";
	case MS_REC: return "rec";
	case MS_SILENT: return "silent";
	case MS_POSIXACL: return "posixacl";
	case MS_UNBINDABLE: return "unbindable";
	case MS_PRIVATE: return "private";
	case MS_SLAVE: return "slave";
	case MS_SHARED: return "shared";
	case MS_RELATIME: return "relatime";
	case MS_I_VERSION: return "iversion";
	case MS_STRICTATIME: return "strictatime";
	case MS_LAZYTIME: return "lazytime";
	default: return NULL;
	}
}
