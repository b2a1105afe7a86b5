internal import Events

/// Finds out what engines wrote about their tenants, without talking to any. Runs on a thread of its own: files may lie on what hangs
/// (Proxmox's configuration is a FUSE file system).
package struct TenantLookup: Sendable {
    private let files: HostFiles

    package init(files: HostFiles = HostFiles()) { self.files = files }

    package func answer(_ question: TenantQuestion) -> TenantAnswer {
        switch question {
        case .facts(let claim): TenantAnswer(question, facts: facts(claim))
        case .proof(let candidate): TenantAnswer(question, proof: proof(candidate))
        }
    }

    /// A file name made of an id that came from a path or an argument: one name, and not `.` or `..`.
    private func isName(_ id: String) -> Bool { !id.isEmpty && !id.hasPrefix(".") && !id.utf8.contains(0x2f) && !id.utf8.contains(0) && id.utf8.count < 256 }

    private func facts(_ claim: CgroupTenant) -> TenantFacts? {
        guard isName(claim.local) else { return nil }
        var home: HostFiles?
        if case .user(let user) = claim.owner {
            guard let found = files.home(of: user) else { return nil }
            home = found
        }
        var facts: TenantFacts?
        switch claim.engine {
        case "docker": facts = docker(claim.local, home)
        case "podman", "buildah": facts = storage(claim.local, home)
        case "kubernetes", "containerd": facts = home == nil ? pod(claim) : nil
        case "crun", "runc": facts = home == nil ? runtime(claim.engine, claim.local)?.facts : nil
        case "libvirt": facts = libvirt("/run/libvirt/qemu", claim.local) ?? libvirt("/run/libvirt/ch", claim.local)
        case "libvirt-lxc": facts = libvirt("/run/libvirt/lxc", claim.local)
        case "proxmox":
            facts =
                claim.kind == .vm
                ? setting("name", in: "/etc/pve/qemu-server/\(claim.local).conf") : setting("hostname", in: "/etc/pve/lxc/\(claim.local).conf")
        case "lxc": facts = home == nil ? lxc(claim.local) : nil
        default: break
        }
        facts?.isClaimed = home != nil
        return facts.map(Self.cleaned)
    }

    /// Whatever a file says, a name is one line of a bounded length.
    static func cleaned(_ facts: TenantFacts) -> TenantFacts {
        func clean(_ text: String) -> String { CgroupPath.text(text.utf8.prefix(512)) }
        return TenantFacts(
            id: clean(facts.id), name: clean(facts.name), image: clean(facts.image), runtime: clean(facts.runtime), engine: facts.engine,
            isClaimed: facts.isClaimed)
    }

    // MARK: containers

    /// `config.v2.json` of Docker's: moby, daemon/container/container.go.
    private func docker(_ id: String, _ home: HostFiles?) -> TenantFacts? {
        let roots: [String]
        if home != nil {
            roots = [".local/share/docker"]
        } else {
            let configured = files.read("/etc/docker/daemon.json").flatMap { bytes in
                JSONReader.read(bytes) { reader in
                    var found: String?
                    try reader.members { reader, key in if key == "data-root" { found = try reader.string() } }
                    return found
                }
            }
            roots = [(configured ?? nil) ?? "/var/lib/docker", "/var/snap/docker/common/var-lib-docker"]
        }
        for root in roots {
            guard let bytes = (home ?? files).read("\(root)/containers/\(id)/config.v2.json") else { continue }
            let facts = JSONReader.read(bytes) { reader in
                var facts = TenantFacts()
                try reader.members { reader, key in
                    switch key {
                    case "Name": facts.name = String(try reader.string()?.drop { $0 == "/" } ?? "")
                    case "Config": try reader.members { reader, key in if key == "Image" { facts.image = try reader.string() ?? "" } }
                    default: break
                    }
                }
                return facts
            }
            if let facts { return facts }
        }
        return nil
    }

    /// containers/storage, container.go: `containers.json`, and `volatile-containers.json` for those of `--rm`.
    private func storage(_ id: String, _ home: HostFiles?) -> TenantFacts? {
        let root = home == nil ? "/var/lib/containers/storage" : ".local/share/containers/storage"
        for name in ["containers.json", "volatile-containers.json"] {
            guard let bytes = (home ?? files).read("\(root)/overlay-containers/\(name)", limit: HostFiles.most) else { continue }
            let found = JSONReader.read(bytes) { reader in
                var found: TenantFacts?
                try reader.elements { reader in
                    var names: [String] = []
                    var own = ""
                    var metadata = ""
                    try reader.members { reader, key in
                        switch key {
                        case "id": own = try reader.string() ?? ""
                        case "names": try reader.elements { reader in if let name = try reader.string() { names.append(name) } }
                        case "metadata": metadata = try reader.string() ?? ""
                        default: break
                        }
                    }
                    // buildah's working containers are known to their runtime by their name.
                    guard own == id || names.contains(id) else { return }
                    var facts = TenantFacts(name: names.first ?? "")
                    _ = JSONReader.read(Array(metadata.utf8)) { reader in
                        try reader.members { reader, key in if key == "image-name" { facts.image = try reader.string() ?? "" } }
                    }
                    found = facts
                }
                return found
            }
            if let found = found ?? nil { return found }
        }
        return nil
    }

    private func pod(_ claim: CgroupTenant) -> TenantFacts? {
        let id = claim.local
        if claim.runtime == "docker" {
            // k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT (kubelet, dockershim/naming.go).
            guard var facts = docker(id, nil) else { return nil }
            let parts = facts.name.split(separator: "_", omittingEmptySubsequences: false)
            if parts.count >= 6, parts[0] == "k8s" { facts.name = "\(parts[3])/\(parts[2])/\(parts[1])" }
            return facts
        }
        if claim.runtime != "cri-o", let found = containerd(id, namespaces: []) { return found.facts }
        if claim.runtime == "containerd" { return nil }
        return bundle("/run/containers/storage/overlay-containers/\(id)/userdata", runtime: "cri-o")?.facts ?? storage(id, nil)
    }

    /// Where containerd's shims have their bundles, by namespace and id (containerd, core/runtime/v2).
    private func containerd(_ id: String, namespaces: [String]) -> Bundle? {
        for root in ["/run/containerd", "/run/k3s/containerd", "/var/snap/microk8s/common/run/containerd"] {
            let folder = root + "/io.containerd.runtime.v2.task"
            let all = namespaces.isEmpty ? ["k8s.io"] + files.names(in: folder, limit: 64).filter { $0 != "k8s.io" } : namespaces
            for namespace in all where isName(namespace) {
                if var found = bundle("\(folder)/\(namespace)/\(id)", runtime: "containerd") {
                    found.namespace = namespace
                    return found
                }
            }
        }
        return nil
    }

    struct Bundle {
        var facts: TenantFacts
        /// `linux.cgroupsPath`
        var group = ""
        var namespace = ""
    }

    /// What config.json of an OCI bundle says by the annotations of containerd's CRI, CRI-O and nerdctl.
    private func bundle(_ folder: String, runtime: String) -> Bundle? {
        guard let bytes = files.read("\(folder)/config.json", limit: 4 << 20) else { return nil }
        return JSONReader.read(bytes) { reader in
            var notes: [String: String] = [:]
            var bundle = Bundle(facts: TenantFacts(runtime: runtime))
            try reader.members { reader, key in
                switch key {
                case "annotations": try reader.members { reader, key in if Self.annotations.contains(key) { notes[key] = try reader.string() } }
                case "linux": try reader.members { reader, key in if key == "cgroupsPath" { bundle.group = try reader.string() ?? "" } }
                default: break
                }
            }
            func first(_ keys: String...) -> String { keys.lazy.compactMap { notes[$0] }.first { !$0.isEmpty } ?? "" }
            let container = first("io.kubernetes.cri.container-name", "io.kubernetes.container.name")
            let pod = first("io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name")
            let namespace = first("io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace")
            let isSandbox = first("io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType") == "sandbox"
            // Containers' names repeat from pod to pod.
            bundle.facts.name =
                pod.isEmpty ? first("nerdctl/name") : ([namespace, pod] + (isSandbox ? [] : [container])).filter { !$0.isEmpty }.joined(separator: "/")
            if bundle.facts.name.isEmpty { bundle.facts.name = container }
            bundle.facts.image = first(
                "io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName", "nerdctl/image-name", "org.opencontainers.image.ref.name",
                "org.opencontainers.image.base.name")
            return bundle
        }
    }

    private static let annotations: Set<String> = [
        "io.kubernetes.cri.container-name", "io.kubernetes.container.name", "io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name",
        "io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace", "io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType",
        "io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName", "nerdctl/name", "nerdctl/image-name", "org.opencontainers.image.ref.name",
        "org.opencontainers.image.base.name",
    ]

    // MARK: runtimes without an engine

    /// What `crun` and `runc` keep of a container: its groups, and what its bundle says.
    private func runtime(_ runtime: String, _ id: String) -> (groups: [String], facts: TenantFacts)? {
        let path = runtime == "crun" ? "/run/crun/\(id)/status" : "/run/runc/\(id)/state.json"
        guard let bytes = files.read(path) else { return nil }
        let state = JSONReader.read(bytes) { reader in
            var groups: [String] = []
            var bundle = ""
            try reader.members { reader, key in
                switch key {
                // crun, src/libcrun/status.c
                case "cgroup-path": if let group = try reader.string() { groups.append(group) }
                case "bundle": bundle = try reader.string() ?? ""
                // runc, libcontainer/container_linux.go
                case "cgroup_paths": try reader.members { reader, _ in if let group = try reader.string() { groups.append(group) } }
                case "config":
                    try reader.members { reader, key in
                        guard key == "labels" else { return }
                        try reader.elements { reader in
                            if let label = try reader.string(), label.hasPrefix("bundle=") { bundle = String(label.dropFirst(7)) }
                        }
                    }
                default: break
                }
            }
            return (groups, bundle)
        }
        guard let state else { return nil }
        var facts = bundle(state.1, runtime: runtime)?.facts ?? TenantFacts(runtime: runtime)
        if facts.name.isEmpty { facts.name = id }
        return (state.0, facts)
    }

    /// A group is a container's where what root's runtime keeps of the container names that very group.
    private func proof(_ candidate: CgroupCandidate) -> (scope: Int, claim: CgroupTenant)? {
        for (index, scope) in candidate.scopes.enumerated() where isName(scope.id) {
            let path = String(decoding: scope.path, as: UTF8.self)
            for runtime in ["crun", "runc"] {
                guard let groups = self.runtime(runtime, scope.id)?.groups else { continue }
                // runc's are below the mount point of a hierarchy.
                if groups.contains(where: { $0 == path || runtime == "runc" && $0.hasPrefix("/sys/fs/cgroup/") && $0.hasSuffix(path) }) {
                    return (index, CgroupTenant(.container, runtime, scope.id, isNamed: true, runtime: runtime))
                }
            }
            if let found = containerd(scope.id, namespaces: []), found.group == path || found.group == String(path.dropFirst()) {
                let isID = CgroupPath.isContainerID(Component(Array(scope.id.utf8)[...]))
                let engine = found.namespace == "k8s.io" ? "kubernetes" : found.namespace == "moby" ? "docker" : "containerd"
                return (index, CgroupTenant(.container, engine, scope.id, isNamed: !isID, runtime: engine == "docker" ? "docker" : "containerd"))
            }
            if scope.id.hasPrefix("libpod-"), storage(String(scope.id.dropFirst(7)), nil) != nil {
                return (index, CgroupTenant(.container, "podman", String(scope.id.dropFirst(7)), runtime: "podman"))
            }
        }
        return nil
    }

    // MARK: machines

    /// The state of a running domain: its first uuid is its own, for libvirt writes name and uuid before what users may add (virDomainDefFormat).
    private func libvirt(_ folder: String, _ name: String) -> TenantFacts? {
        guard let bytes = files.read("\(folder)/\(name).xml", limit: 4 << 20) else { return nil }
        let text = bytes[...]
        guard let domain = text.firstRange(of: Array("<domain ".utf8)) else { return nil }
        func element(_ name: String) -> String {
            let rest = text[domain.upperBound...]
            guard let start = rest.firstRange(of: Array("<\(name)>".utf8)), let end = rest[start.upperBound...].firstRange(of: Array("</\(name)>".utf8))
            else { return "" }
            return String(decoding: rest[start.upperBound..<end.lowerBound], as: UTF8.self)
        }
        let uuid = element("uuid")
        return TenantFacts(id: VirtualMachine.isUUID(uuid) ? uuid : "", name: element("name"))
    }

    /// `key: value` before the first section, which is a snapshot's (Proxmox, qm.conf(5)).
    private func setting(_ key: String, in path: String) -> TenantFacts? {
        guard let bytes = files.read(path) else { return nil }
        for line in bytes.split(separator: 0x0a) {
            if line.first == UInt8(ascii: "[") { break }
            guard line.starts(with: Array("\(key):".utf8)) else { continue }
            let value = line.dropFirst(key.utf8.count + 1).drop { $0 == 0x20 || $0 == 0x09 }
            return TenantFacts(name: String(decoding: value, as: UTF8.self))
        }
        return nil
    }

    /// Whose container it is that LXC runs: each of its users keeps one folder for it.
    private func lxc(_ name: String) -> TenantFacts? {
        if files.exists("/var/lib/lxc/\(name)/config") { return nil }
        for (folder, engine) in [
            ("/var/lib/incus/containers", "incus"), ("/var/snap/lxd/common/lxd/containers", "lxd"), ("/var/lib/lxd/containers", "lxd"),
        ] where files.exists("\(folder)/\(name)") {
            return TenantFacts(engine: engine)
        }
        return nil
    }
}

extension ArraySlice<UInt8> {
    /// The first place of `needle`, which isn't empty.
    fileprivate func firstRange(of needle: [UInt8]) -> Range<Int>? {
        guard let first = needle.first else { return nil }
        var at = startIndex
        while at + needle.count <= endIndex {
            if self[at] == first, self[at..<at + needle.count].elementsEqual(needle) { return at..<at + needle.count }
            at += 1
        }
        return nil
    }
}
