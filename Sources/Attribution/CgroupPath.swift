package import Events

/// Who made a cgroup, told from its path in its hierarchy alone. Pure; no disk, no process is asked.
///
/// **The tenant is the outermost group that the host's engines made.** What a container makes below its own group (docker in LXC, kind in
/// podman) is its own affair: it may call groups there what it likes, so nothing there is believed.
///
/// What is believed where:
///
/// | place | made by | yields |
/// |---|---|---|
/// | a chain of `.slice` groups from the root, then a unit | systemd for root: slices can't be delegated (systemd.resource-control(5)) | all engines |
/// | a first group that is no slice (`/docker`, `/kubepods`, `/lxc.payload.NAME`) | root, who alone may write there | all engines that name it |
/// | below a service of an engine's own (`containerd.service`) | that engine | all engines |
/// | below any other service or scope (`Delegate=`, maybe with `User=`) | its user | rootless engines, id `UNIT/ID` |
/// | `/user.slice/user-UID.slice/...` | that user | rootless engines, id `UID/ID` |
package enum CgroupPath {
    package enum Verdict: Equatable, Sendable {
        /// No tenant's: the host's own.
        case host
        /// The path is cut at its front: whose it is can't be seen.
        case unknown
        case tenant(CgroupTenant)
        /// A runtime without an engine may have made it, which its state on disk proves or not. Until then it is the host's.
        case candidate(CgroupCandidate)
    }

    /// - Parameters:
    ///   - path: from the root of its hierarchy, as the kernel has it.
    ///   - truncated: leading components are missing.
    ///   - isProxmox: whether this host is a Proxmox VE node; nil: not known.
    package static func parse(_ path: UnsafeRawBufferPointer, truncated: Bool = false, isProxmox: Bool? = nil) -> Verdict {
        guard !truncated, path.count <= longest, path.first == UInt8(ascii: "/") else { return .unknown }
        return parse(Components(path), isProxmox: isProxmox)
    }

    package static func parse(_ path: String, isProxmox: Bool? = nil) -> Verdict {
        var path = path
        return path.withUTF8 { parse(UnsafeRawBufferPointer($0), isProxmox: isProxmox) }
    }

    /// PATH_MAX: a record carries no more (bpf/record.h).
    package static let longest = 4096

    // MARK: places

    private static func parse(_ path: Components, isProxmox: Bool?) -> Verdict {
        guard let first = path[0] else { return .host }
        if first == "user.slice" { return userSlice(path) }
        var at = 0
        var pods = false
        while let slice = path[at], slice.hasSuffix(".slice") {
            pods = pods || slice == "kubepods.slice" || slice.hasSuffix("-kubepods.slice") || slice.hasPrefix("kubepods-")
            at += 1
        }
        if at == 0 { return rooted(path, 0, isProxmox: isProxmox) }
        guard let unit = path[at] else { return .host }
        if unit.hasSuffix(".scope") {
            if let found = scope(unit, pods: pods, isInQemuSlice: at == 1 && first == "qemu.slice") { return .tenant(found.at(path.end(of: at))) }
            return delegated(path, at + 1, owner: .unit(text(unit)))
        }
        if unit.hasSuffix(".service") {
            if let found = machineService(unit, next: path[at + 1]) { return .tenant(found.at(path.end(of: at))) }
            if isEngine(unit) { return rooted(path, at + 1, isProxmox: isProxmox, candidates: false) }
            return delegated(path, at + 1, owner: .unit(text(unit)))
        }
        // What is neither a unit nor a slice lies in a slice when an engine with the cgroupfs driver was told to put it there.
        return rooted(path, at, isProxmox: isProxmox)
    }

    private static func userSlice(_ path: Components) -> Verdict {
        guard let slice = path[1], let user = number(slice.between("user-", ".slice")) else { return .host }
        return delegated(path, 2, owner: .user(user))
    }

    /// The first group of a rootless engine; its owner can have made it only for himself.
    private static func delegated(_ path: Components, _ from: Int, owner: CgroupTenant.Owner) -> Verdict {
        var at = from
        while let name = path[at] {
            if var found = rootless(name) {
                found.owner = owner
                return .tenant(found.at(path.end(of: at)))
            }
            at += 1
        }
        return .host
    }

    /// A group that root made, outside of systemd's units.
    private static func rooted(_ path: Components, _ at: Int, isProxmox: Bool?, candidates: Bool = true) -> Verdict {
        guard let first = path[at] else { return .host }
        if let found = ofEngine(path, at, isProxmox: isProxmox) { return .tenant(found) }
        guard candidates, !first.hasUnitSuffix, !engineFolders.contains(where: { first == $0 }) else { return .host }
        return candidate(path, at)
    }

    /// `/ID` of crun and runc, `/NAMESPACE/ID` of containerd, `/PARENT/ID` of Docker's --cgroup-parent.
    private static func candidate(_ path: Components, _ at: Int) -> Verdict {
        var scopes: [CgroupCandidate.Scope] = []
        for depth in at...at + 1 {
            guard let name = path[depth], isOCIName(name) else { break }
            scopes.append(CgroupCandidate.Scope(path: path.bytes(through: depth), id: text(name), parent: depth == at ? "" : text(path[at] ?? name)))
        }
        return scopes.isEmpty ? .host : .candidate(CgroupCandidate(scopes: scopes))
    }

    /// Groups whose names an engine has taken: no container's own.
    private static let engineFolders: [StaticString] = [
        "docker", "buildkit", "kubepods", "kubelet", "libpod_parent", "firecracker", "kata_overhead", "machine", "libvirt", "lxc", "lxc.payload",
        "lxc.monitor", "lxc.pivot",
    ]

    /// Services in whose groups nobody but an engine makes others.
    private static func isEngine(_ unit: Component) -> Bool {
        if unit.hasPrefix("lxc@") { return true }
        return engineUnits.contains { unit == $0 }
    }

    private static let engineUnits: [StaticString] = [
        "containerd.service", "docker.service", "crio.service", "cri-o.service", "kubelet.service", "k3s.service", "k3s-agent.service",
        "rke2-server.service", "rke2-agent.service", "snap.microk8s.daemon-containerd.service", "snap.docker.dockerd.service",
        "libvirtd.service", "virtqemud.service", "virtlxcd.service", "lxc.service", "incus.service", "lxd.service", "snap.lxd.daemon.service",
    ]

    // MARK: names

    /// Bytes as text that no two names share: what is not UTF-8, controls, and the backslash itself become `\xNN`.
    package static func text(_ bytes: some Sequence<UInt8>) -> String {
        let bytes = Array(bytes)
        var result = ""
        result.reserveCapacity(bytes.count)
        var decoder = UTF8.ForwardParser()
        var rest = bytes.makeIterator()
        var position = 0
        func escape(_ from: Int, _ to: Int, _ result: inout String) {
            for byte in bytes[from..<to] {
                result += "\\x"
                result.unicodeScalars.append(digit(byte >> 4))
                result.unicodeScalars.append(digit(byte & 15))
            }
        }
        while true {
            switch decoder.parseScalar(from: &rest) {
            case .valid(let encoded):
                let scalar = UTF8.decode(encoded)
                switch scalar.value {
                case 0..<0x20, 0x5c, 0x7f..<0xa0: escape(position, position + encoded.count, &result)
                default: result.unicodeScalars.append(scalar)
                }
                position += encoded.count
            case .error(let length):
                escape(position, position + length, &result)
                position += length
            case .emptyInput: return result
            }
        }
    }

    private static func digit(_ value: UInt8) -> Unicode.Scalar { Unicode.Scalar(value < 10 ? 0x30 + value : 0x57 + value) }

    static func text(_ name: Component) -> String { text(name.bytes) }

    /// What systemd wrote as `\xNN` in a unit's name (systemd.unit(5), "String escaping for inclusion in unit names").
    static func unescaped(_ name: Component) -> [UInt8] {
        var result: [UInt8] = []
        var at = 0
        while at < name.count {
            if name[at] == 0x5c, at + 3 < name.count, name[at + 1] == UInt8(ascii: "x"), let high = hexadecimal(name[at + 2]),
                let low = hexadecimal(name[at + 3])
            {
                result.append(high << 4 | low)
                at += 4
            } else {
                result.append(name[at])
                at += 1
            }
        }
        return result
    }

    static func hexadecimal(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }

    /// 64 lower-case hexadecimal digits, as containers of all engines that pull images are called.
    static func isContainerID(_ name: Component) -> Bool {
        name.count == 64 && name.bytes.allSatisfy { hexadecimal($0) != nil }
    }

    /// A decimal number as systemd and the kernel write it: no sign, no leading zero.
    static func number(_ name: Component?) -> UInt32? {
        guard let name, (1...10).contains(name.count), name[0] != 0x30 || name.count == 1 else { return nil }
        var value: UInt64 = 0
        for byte in name.bytes {
            guard (0x30...0x39).contains(byte) else { return nil }
            value = value * 10 + UInt64(byte - 0x30)
        }
        return UInt32(exactly: value)
    }

    /// What runc and crun take for an id (runc, libcontainer/factory_linux.go: `[\w+\-\.]+`).
    static func isOCIName(_ name: Component) -> Bool {
        guard name.count > 0, name[0] != UInt8(ascii: ".") else { return false }
        return name.bytes.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x5f, 0x2b, 0x2d, 0x2e: true
            default: false
            }
        }
    }
}

/// What a path says of a tenant.
package struct CgroupTenant: Hashable, Sendable {
    package enum Owner: Hashable, Sendable {
        /// Root, or an engine that root runs.
        case host
        /// A user's own slice.
        case user(UInt32)
        /// A systemd unit whose group was handed over, by its name.
        case unit(String)
    }

    package var kind: Tenant.Kind
    package var engine: String
    package var role: Tenant.Role
    /// As the engine calls it, without its owner.
    package var local: String
    /// Where that is what people call it, too.
    package var isNamed = false
    package var owner = Owner.host
    package var runtime = ""
    /// How long the path of its own group is, in bytes; longer ones are nested. No part of who it is.
    package var extent = 0

    package init(
        _ kind: Tenant.Kind, _ engine: String, _ local: String, role: Tenant.Role = .guest, isNamed: Bool = false, owner: Owner = .host,
        runtime: String = ""
    ) {
        self.kind = kind
        self.engine = engine
        self.role = role
        self.local = local
        self.isNamed = isNamed
        self.owner = owner
        self.runtime = runtime
    }

    /// `Tenant.id`.
    package var id: String { owner.prefix + local }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(engine)
        hasher.combine(local)
        hasher.combine(role)
    }

    package static func == (first: Self, second: Self) -> Bool {
        first.kind == second.kind && first.engine == second.engine && first.role == second.role && first.local == second.local
            && first.owner == second.owner
    }

    func at(_ extent: Int) -> Self {
        var copy = self
        copy.extent = extent
        return copy
    }
}

extension CgroupTenant.Owner {
    /// What stands before an id; empty for the host's.
    package var prefix: String {
        switch self {
        case .host: ""
        case .user(let number): "\(number)/"
        case .unit(let name): name + "/"
        }
    }
}

/// Groups that may be a container's, the outermost first.
package struct CgroupCandidate: Hashable, Sendable {
    package struct Scope: Hashable, Sendable {
        package let path: [UInt8]
        package let id: String
        /// Name of the group above it; empty: it lies at the top.
        package let parent: String
    }
    package let scopes: [Scope]
}
