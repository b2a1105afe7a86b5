internal import FilterLanguage
import Glibc

/// A built-in list of what to watch for one mechanism.
package struct Profile: Sendable {
    package let name: String
    /// Any of these, and it is installed. Empty: every system has it.
    let mechanism: [String]
    /// Paths and patterns, as in files.watch.
    package let watch: [String]
    /// The same for what is written all the time by rights, such as disk images: all but writes to it.
    package let variable: [String]
    package let ignore: [String]

    private init(_ name: String, if mechanism: [String] = [], _ watch: [String], variable: [String] = [], ignore: [String] = []) {
        self.name = name
        self.mechanism = mechanism
        self.watch = watch
        self.variable = variable
        self.ignore = ignore
    }

    /// Actions on variable files that are no news.
    static let routine: Set<FileAction> = [.write, .utimes, .mmapWrite]

    package static let all = [
        Profile("os-base", ["/etc/**", "/opt/**"]),
        Profile(
            "os-boot",
            [
                "/boot/**", "/boot/efi/**", "/etc/default/grub*", "/etc/grub.d/**", "/etc/initramfs-tools/**", "/etc/kernel/**",
                "/etc/dracut.conf.d/**",
            ]),
        Profile(
            "os-load",
            [
                "/etc/ld.so.preload", "/etc/ld.so.conf", "/etc/ld.so.conf.d/**", "/etc/modules", "/etc/modules-load.d/**", "/etc/modprobe.d/**",
                "/etc/depmod.d/**", "/lib/modules/**",
            ]),
        Profile(
            "os-auth",
            [
                "/etc/pam.d/**", "/lib/*/security/*.so",
                "/etc/{passwd,shadow,group,gshadow,sudoers,sudoers.d/**,nsswitch.conf,securetty,subuid,subgid}", "/etc/ssh/**",
                "/root/.ssh/**", "/home/*/.ssh/authorized_keys*",
            ]),
        Profile(
            "os-start",
            [
                "/etc/systemd/**", "/lib/systemd/**", "/usr/lib/systemd/**", "/run/systemd/{system,generator*,transient}/**", "/etc/cron*/**",
                "/etc/crontab", "/var/spool/cron/**", "/etc/rc.local", "/etc/init.d/**", "/etc/profile", "/etc/profile.d/**",
                "/etc/bash.bashrc", "/etc/udev/rules.d/**", "/lib/udev/rules.d/**",
            ]),
        Profile(
            "os-policy",
            [
                "/etc/sysctl.conf", "/etc/sysctl.d/**", "/etc/apparmor.d/**", "/etc/selinux/**", "/etc/audit/**", "/etc/rsyslog*",
                "/etc/systemd/journald.conf", "/etc/chrony/**", "/etc/hosts", "/etc/resolv.conf",
            ]),
        Profile(
            "os-packages",
            [
                "/etc/apt/**", "/usr/share/keyrings/**", "/var/lib/dpkg/{status,info/**}", "/etc/yum.repos.d/**", "/etc/dnf/**",
                "/var/lib/rpm/**",
            ]),
        Profile("os-binaries", ["/usr/bin/**", "/usr/sbin/**", "/usr/lib/**", "/usr/local/**", "/opt/*/bin/**"]),
        Profile(
            "kernel-knobs",
            [
                "/proc/sys/kernel/{core_pattern,modprobe,sysrq,randomize_va_space,kptr_restrict,unprivileged_bpf_disabled}",
                "/proc/sysrq-trigger", "/sys/kernel/uevent_helper",
                // Of the hierarchies of cgroups v1: no other file system has such files.
                "/sys/fs/cgroup/**/release_agent", "/sys/kernel/debug/**", "/sys/module/kvm*/parameters/*",
            ]),
        Profile(
            "libvirt-qemu",
            if: [
                "/etc/libvirt", "/usr/sbin/libvirtd", "/usr/sbin/virtqemud", "/usr/bin/virsh", "/usr/bin/qemu-system-x86_64",
                "/usr/bin/qemu-system-aarch64", "/usr/bin/kvm", "/usr/libexec/qemu-kvm",
            ],
            [
                "/etc/libvirt/**", "/etc/qemu/**", "/etc/qemu-if{up,down}*", "/etc/default/{libvirtd,virtlogd,virtlockd,libvirt-guests}",
                "/etc/apparmor.d/libvirt/**", "/usr/sbin/{libvirtd,virtlogd,virtlockd,virt*d}", "/usr/lib/libvirt/**",
                "/usr/lib/*/libvirt/**/*.so*", "/usr/bin/{qemu-system-*,kvm,qemu-img,qemu-nbd,virsh}", "/usr/lib/qemu/**",
                "/usr/lib/*/qemu/*.so", "/usr/share/{qemu,OVMF,ovmf,seabios}/**", "/usr/bin/swtpm*",
                "/var/lib/libvirt/{qemu/nvram,swtpm,secrets}/**",
            ],
            variable: ["/var/lib/libvirt/{images,qemu/save,qemu/snapshot}/**"],
            ignore: ["/run/libvirt/**", "/var/lib/libvirt/qemu/domain-*/**"]),
        Profile(
            "proxmox", if: ["/etc/pve", "/usr/bin/pvesh"],
            [
                "/etc/pve/**", "/var/lib/pve-cluster/config.db", "/var/lib/vz/snippets/**", "/usr/share/perl5/PVE/**",
                "/usr/bin/{qm,pct,pvesh}", "/etc/corosync/**",
            ]),
        Profile("xen", if: ["/etc/xen", "/proc/xen"], ["/etc/xen/**", "/usr/lib/xen-*/**", "/boot/xen-*.gz"]),
        Profile(
            "openstack", if: ["/etc/nova", "/usr/bin/nova-compute"], ["/etc/nova/**", "/usr/bin/nova-compute", "/etc/sudoers.d/nova-common"],
            variable: ["/var/lib/nova/instances/**"]),
        Profile(
            "firecracker", if: ["/usr/bin/firecracker", "/usr/bin/jailer", "/usr/bin/cloud-hypervisor", "/srv/jailer"],
            ["/usr/bin/{firecracker,jailer,cloud-hypervisor,virtiofsd}", "/srv/jailer/**"]),
        Profile(
            "lxc-incus", if: ["/etc/lxc", "/usr/share/lxc", "/var/lib/lxc", "/var/lib/incus", "/var/lib/lxd"],
            [
                "/etc/lxc/**", "/usr/share/lxc/{config,hooks}/**", "/etc/apparmor.d/lxc/**", "/var/lib/lxc/*/config",
                "/var/lib/{incus,lxd}/database/**",
            ]),
        Profile(
            "oci",
            if: [
                "/etc/docker", "/etc/containerd", "/etc/containers", "/etc/crio", "/etc/kubernetes", "/usr/bin/dockerd", "/usr/bin/containerd",
                "/usr/bin/podman", "/usr/bin/crio", "/usr/bin/runc", "/usr/sbin/runc", "/usr/bin/crun",
            ],
            [
                "/etc/docker/**", "/etc/containerd/**", "/etc/containers/**", "/etc/crio/**", "/etc/cni/net.d/**", "/opt/cni/bin/**",
                "/usr/share/containers/**", "/etc/kubernetes/**", "/var/lib/kubelet/config.yaml",
                "/usr/{bin,sbin}/{dockerd,docker-proxy,containerd,containerd-shim*,ctr,runc,crun,conmon,podman}",
            ]),
        Profile("self", [ownExecutable() ?? "/usr/bin/hypervigil", "/etc/hypervigil/**", "/var/lib/hypervigil/**"]),
    ]

    /// This program's file, where its path is text and no pattern.
    private static func ownExecutable() -> String? {
        guard let path = realpath("/proc/self/exe", nil) else { return nil }
        defer { free(path) }
        guard let text = String(validatingCString: path), !text.utf8.contains(where: { "*?[{".utf8.contains($0) }) else { return nil }
        return text
    }

    /// Every profile: whether these settings turn it on here, and why.
    package static func states(_ settings: Settings) -> [ProfileState] {
        all.map { profile in
            switch settings.filesProfiles {
            case .named(let names):
                let named = names.contains(profile.name)
                return ProfileState(profile: profile, isOn: named, why: named ? "named" : "not named")
            case .automatic:
                if profile.mechanism.isEmpty { return ProfileState(profile: profile, isOn: true, why: "for every system") }
                guard let found = profile.mechanism.first(where: { access($0, F_OK) == 0 }) else {
                    return ProfileState(profile: profile, isOn: false, why: "not installed: none of \(profile.mechanism.joined(separator: ", "))")
                }
                return ProfileState(profile: profile, isOn: true, why: "found \(found)")
            }
        }
    }
}

package struct ProfileState: Sendable {
    package let profile: Profile
    package let isOn: Bool
    package let why: String
}

package enum Profiles: Sendable, Equatable {
    case automatic
    case named([String])
}

extension ValueType<Profiles> {
    static func profiles() -> Self {
        let names = Profile.all.map(\.name)
        return ValueType(description: "auto, none, or a list of " + names.joined(separator: ", ")) { tree throws(Complaint) in
            guard case .list(let items) = tree.content else {
                switch try oneValue(tree, "auto, none or a list of profiles") {
                case "auto": return .automatic
                case "none": return .named([])
                case let text:
                    throw Complaint(tree.position, "\(quoted(text)) is neither auto nor none", hint: "write one of them, or a list of profiles")
                }
            }
            var found: Set<String> = []
            for item in items {
                let name = try oneValue(item, "the name of a profile")
                guard names.contains(name) else {
                    throw Complaint(item.position, "\(quoted(name)) is no profile", hint: "the nearest is \(nearest(to: name, in: names) ?? "none")")
                }
                guard found.insert(name).inserted else { throw Complaint(item.position, "\(quoted(name)) is there twice", hint: "remove one") }
            }
            return .named(names.filter(found.contains))
        } render: { profiles in
            switch profiles {
            case .automatic: .scalar("auto")
            case .named([]): .scalar("none")
            case .named(let names): .list(names)
            }
        }
    }
}

extension Settings {
    /// What is watched and what is not, in the order in which later entries of the same path go before earlier ones: the profiles that
    /// are on, files.watch, files.ignore. `actions` nil: all.
    package var watchList: [(path: String, watched: Bool, actions: [FileAction]?)] {
        var list: [(path: String, watched: Bool, actions: [FileAction]?)] = []
        func add(_ entries: [WatchEntry], watched: Bool) {
            for entry in entries { list += entry.alternatives.map { ($0, watched, entry.actions) } }
        }
        let profiles = Profile.states(self).filter(\.isOn).map(\.profile)
        let rest = FileAction.allCases.filter { !Profile.routine.contains($0) }
        for profile in profiles {
            add(profile.variable.map { WatchEntry(path: $0, actions: rest) }, watched: true)
            add(profile.watch.map { WatchEntry(path: $0) }, watched: true)
            add(profile.ignore.map { WatchEntry(path: $0) }, watched: false)
        }
        add(self.filesWatch, watched: true)
        add(self.filesIgnore, watched: false)
        return list
    }
}
