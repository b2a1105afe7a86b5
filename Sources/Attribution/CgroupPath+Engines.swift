internal import Events

/// How engines name their groups. Where a rule is not in an engine's own documentation, its source is named.
extension CgroupPath {
    // MARK: scopes of systemd's

    /// A scope that root's systemd made.
    static func scope(_ unit: Component, pods: Bool, isInQemuSlice: Bool) -> CgroupTenant? {
        guard let name = unit.dropping(suffix: ".scope") else { return nil }
        if isInQemuSlice, let id = number(name) { return CgroupTenant(.vm, "proxmox", String(id)) }
        if let machine = name.dropping(prefix: "machine-") { return Self.machine(unescaped(machine)) }
        if let found = withPrefix(name) {
            if pods, found.engine == "docker" || found.engine == "containerd" {
                return CgroupTenant(.container, "kubernetes", found.local, role: found.role, runtime: found.runtime)
            }
            return found
        }
        if let id = name.dropping(prefix: "cri-containerd-"), isContainerID(id) {
            return CgroupTenant(.container, "kubernetes", text(id), runtime: "containerd")
        }
        if let id = name.dropping(prefix: "crio-conmon-"), isContainerID(id) {
            return CgroupTenant(.container, "kubernetes", text(id), role: .manager, runtime: "cri-o")
        }
        if let id = name.dropping(prefix: "crio-"), isContainerID(id) {
            return CgroupTenant(.container, "kubernetes", text(id), runtime: "cri-o")
        }
        return nil
    }

    /// Names of scopes that rootless engines give as well.
    private static func withPrefix(_ name: Component) -> CgroupTenant? {
        if let id = name.dropping(prefix: "libpod-conmon-"), isContainerID(id) {
            return CgroupTenant(.container, "podman", text(id), role: .manager, runtime: "podman")
        }
        if let id = name.dropping(prefix: "libpod-"), isContainerID(id) { return CgroupTenant(.container, "podman", text(id), runtime: "podman") }
        if let id = name.dropping(prefix: "docker-"), isContainerID(id) { return CgroupTenant(.container, "docker", text(id), runtime: "docker") }
        if let id = name.dropping(prefix: "nerdctl-"), isContainerID(id) {
            return CgroupTenant(.container, "containerd", text(id), runtime: "containerd")
        }
        // Run by hand, or by buildah: the runtime's own default prefix (crun, src/libcrun/cgroup-systemd.c; runc, cgroups/systemd).
        for runtime in ["crun", "runc"] {
            guard let id = name.dropping(prefix: runtime + "-") else { continue }
            let unescaped = text(unescaped(id))
            guard !unescaped.isEmpty else { return nil }
            return CgroupTenant(
                .container, unescaped.hasPrefix("buildah-buildah") ? "buildah" : runtime, unescaped, isNamed: true, runtime: runtime)
        }
        return nil
    }

    /// What an engine makes that runs for a user, or in a service.
    static func rootless(_ name: Component) -> CgroupTenant? {
        if let scope = name.dropping(suffix: ".scope") { return withPrefix(scope) }
        // With cgroupfs, and with --cgroups=split, which quadlets have.
        for prefix in ["libpod-payload-", "libpod-"] {
            if let id = name.dropping(prefix: prefix), isContainerID(id) {
                return CgroupTenant(.container, "podman", text(id), runtime: "podman")
            }
        }
        return lxc(name)
    }

    /// systemd-machined's name of a registered machine: `qemu-1-web01` is libvirt's (virDomainGenerateMachineName), other names are nspawn's.
    private static func machine(_ name: [UInt8]) -> CgroupTenant? {
        guard !name.isEmpty else { return nil }
        return libvirt(name[...]) ?? CgroupTenant(.container, "nspawn", text(name), isNamed: true, runtime: "systemd-nspawn")
    }

    /// `DRIVER-NUMBER-NAME`.
    private static func libvirt(_ name: ArraySlice<UInt8>) -> CgroupTenant? {
        let parts = name.split(separator: UInt8(ascii: "-"), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, !parts[1].isEmpty, parts[1].allSatisfy({ (0x30...0x39).contains($0) }), !parts[2].isEmpty else { return nil }
        switch parts[0] {
        case [0x71, 0x65, 0x6d, 0x75]: return CgroupTenant(.vm, "libvirt", text(parts[2]), isNamed: true, runtime: "")
        // libvirt's driver for Cloud Hypervisor.
        case [0x63, 0x68]: return CgroupTenant(.vm, "libvirt", text(parts[2]), isNamed: true)
        case [0x6c, 0x78, 0x63]: return CgroupTenant(.container, "libvirt-lxc", text(parts[2]), isNamed: true, runtime: "libvirt-lxc")
        default: return nil
        }
    }

    /// - Parameter next: the group below.
    static func machineService(_ unit: Component, next: Component?) -> CgroupTenant? {
        let role: Tenant.Role = next.map { $0 == "supervisor" } == true ? .manager : .guest
        if let name = unit.between("systemd-nspawn@", ".service") {
            return CgroupTenant(.container, "nspawn", text(unescaped(name)), role: role, isNamed: true, runtime: "systemd-nspawn")
        }
        if let name = unit.between("systemd-vmspawn@", ".service") {
            return CgroupTenant(.vm, "vmspawn", text(unescaped(name)), role: role, isNamed: true)
        }
        return nil
    }

    // MARK: groups outside of systemd's units

    static func ofEngine(_ path: Components, _ at: Int, isProxmox: Bool?) -> CgroupTenant? {
        guard let first = path[at] else { return nil }
        let second = path[at + 1]
        func found(_ tenant: CgroupTenant?, _ depth: Int) -> CgroupTenant? { tenant?.at(path.end(of: at + depth)) }

        if let tenant = lxc(first) { return found(tenant, 0) }
        if let tenant = colons(first) { return found(tenant, 0) }
        if first == "docker", let second {
            if second == "buildkit", let third = path[at + 2] {
                return found(CgroupTenant(.container, "buildkit", text(third), runtime: "docker"), 2)
            }
            return isContainerID(second) ? found(CgroupTenant(.container, "docker", text(second), runtime: "docker"), 1) : nil
        }
        if first == "buildkit", let second { return found(CgroupTenant(.container, "buildkit", text(second)), 1) }
        if first == "kubepods" { return pods(path, at + 1) }
        if first == "kubelet", second.map({ $0 == "kubepods" }) == true { return pods(path, at + 2) }
        if first == "k8s.io", let second, isContainerID(second) {
            return found(CgroupTenant(.container, "kubernetes", text(second), runtime: "containerd"), 1)
        }
        if first == "libpod_parent" {
            // Below a group of the pod's, where there is one.
            for depth in 1...2 {
                guard let name = path[at + depth] else { return nil }
                if let tenant = rootless(name), tenant.engine == "podman" { return found(tenant, depth) }
                if let id = name.dropping(prefix: "libpod-conmon-"), isContainerID(id) {
                    return found(CgroupTenant(.container, "podman", text(id), role: .manager, runtime: "podman"), depth)
                }
            }
            return nil
        }
        if first == "firecracker", let second, isFirecrackerName(second) { return found(CgroupTenant(.vm, "firecracker", text(second)), 1) }
        if first == "kata_overhead" { return overhead(path, at + 1) }
        if first == "machine" { return libvirtWithoutSystemd(path, at + 1) }
        if first == "libvirt", let second, let third = path[at + 2] {
            if second == "qemu" { return found(CgroupTenant(.vm, "libvirt", text(third), isNamed: true), 2) }
            if second == "lxc" { return found(CgroupTenant(.container, "libvirt-lxc", text(third), isNamed: true, runtime: "libvirt-lxc"), 2) }
            return nil
        }
        if let second { return found(lxcBelow(first, second, third: path[at + 2], isProxmox: isProxmox), 1) }
        return nil
    }

    /// `lxc.payload.NAME` and `lxc.monitor.NAME`, from LXC 4 on; Incus and LXD are LXC's users, which `TenantLookup` finds out.
    private static func lxc(_ name: Component) -> CgroupTenant? {
        if let name = name.dropping(prefix: "lxc.payload.") {
            return CgroupTenant(.container, "lxc", text(name), isNamed: true, runtime: "lxc")
        }
        if let name = name.dropping(prefix: "lxc.monitor.") {
            return CgroupTenant(.container, "lxc", text(name), role: .manager, isNamed: true, runtime: "lxc")
        }
        return nil
    }

    /// `/lxc/NAME` before LXC 3.1, `/lxc.payload/NAME` and `/lxc.monitor/NAME` then.
    ///
    /// Proxmox keeps that layout: `lxc/VMID` with the container in `ns` below it, `lxc.monitor/VMID` (pve-container, PVE/LXC.pm). Its numbers are
    /// from 100 on. Where it isn't known whether the host is a Proxmox node, `ns` tells it apart from an LXC container that bears a number.
    private static func lxcBelow(_ first: Component, _ name: Component, third: Component?, isProxmox: Bool?) -> CgroupTenant? {
        let role: Tenant.Role
        if first == "lxc" || first == "lxc.payload" { role = .guest } else if first == "lxc.monitor" { role = .manager } else { return nil }
        if !(first == "lxc.payload"), let number = number(name), number >= 100,
            isProxmox == true || (role == .guest ? third.map { $0 == "ns" } == true : isProxmox == nil)
        {
            return CgroupTenant(.container, "proxmox", String(number), role: role, runtime: "lxc")
        }
        return CgroupTenant(.container, "lxc", text(name), role: role, isNamed: true, runtime: "lxc")
    }

    /// `[besteffort|burstable]/podUID/ID`, below `kubepods`.
    private static func pods(_ path: Components, _ from: Int) -> CgroupTenant? {
        var at = from
        if let class_ = path[at], class_ == "besteffort" || class_ == "burstable" { at += 1 }
        guard let pod = path[at], pod.hasPrefix("pod"), var name = path[at + 1] else { return nil }
        var runtime = ""
        var role = Tenant.Role.guest
        for (prefix, engine) in [("crio-conmon-", "cri-o"), ("crio-", "cri-o"), ("kata_", "kata"), ("cri-containerd-", "containerd"), ("docker-", "docker")] {
            guard let rest = name.dropping(prefix: prefix) else { continue }
            name = rest
            runtime = engine
            if prefix == "crio-conmon-" { role = .manager }
            break
        }
        name = name.dropping(suffix: ".scope") ?? name
        guard isContainerID(name) else { return nil }
        return CgroupTenant(.container, "kubernetes", text(name), role: role, runtime: runtime).at(path.end(of: at + 1))
    }

    /// `SLICE:PREFIX:ID`, which is systemd's notation in the OCI configuration, taken for a path by a runtime with the cgroupfs driver.
    private static func colons(_ name: Component) -> CgroupTenant? {
        let parts = name.bytes.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false).map { Component($0) }
        guard parts.count == 3, parts[0].hasSuffix(".slice"), isContainerID(parts[2]) else { return nil }
        let id = text(parts[2])
        if parts[1] == "cri-containerd" { return CgroupTenant(.container, "kubernetes", id, runtime: "containerd") }
        if parts[1] == "crio" { return CgroupTenant(.container, "kubernetes", id, runtime: "cri-o") }
        if parts[1] == "docker" { return CgroupTenant(.container, "docker", id, runtime: "docker") }
        if parts[1] == "libpod" { return CgroupTenant(.container, "podman", id, runtime: "podman") }
        if parts[1] == "nerdctl" { return CgroupTenant(.container, "containerd", id, runtime: "containerd") }
        return nil
    }

    /// `/kata_overhead/SANDBOX`, or with the sandbox's whole path: what Kata runs for a sandbox beside the threads of its CPUs, which is the virtual
    /// machine itself, virtiofsd and the shim (kata-containers, docs/design/host-cgroups.md). Two of the three act for the guest.
    private static func overhead(_ path: Components, _ from: Int) -> CgroupTenant? {
        var at = from
        while let name = path[at] {
            let id = name.dropping(prefix: "kata_") ?? name
            if isContainerID(id) { return CgroupTenant(.vm, "kata", text(id)).at(path.end(of: at)) }
            at += 1
        }
        return nil
    }

    /// `/machine[/NAME.partition]/qemu-1-NAME.libvirt-qemu` (libvirt, docs/cgroups.rst).
    private static func libvirtWithoutSystemd(_ path: Components, _ from: Int) -> CgroupTenant? {
        var at = from
        while let name = path[at], name.hasSuffix(".partition") { at += 1 }
        guard let name = path[at] else { return nil }
        for suffix in [".libvirt-qemu", ".libvirt-lxc", ".libvirt-ch"] {
            guard let machine = name.dropping(suffix: suffix), machine.count > 0 else { continue }
            if let found = libvirt(machine.bytes) { return found.at(path.end(of: at)) }
            // Before libvirt 1.2 without driver and number.
            let isContainer = suffix == ".libvirt-lxc"
            return CgroupTenant(
                isContainer ? .container : .vm, isContainer ? "libvirt-lxc" : "libvirt", text(machine), isNamed: true,
                runtime: isContainer ? "libvirt-lxc" : ""
            ).at(path.end(of: at))
        }
        return nil
    }

    /// The jailer's `--id`: at most 64 letters, digits and hyphens (firecracker, docs/jailer.md).
    private static func isFirecrackerName(_ name: Component) -> Bool {
        (1...64).contains(name.count)
            && name.bytes.allSatisfy { (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0) || $0 == 0x2d }
    }
}
