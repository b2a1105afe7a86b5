import Attribution
import Events
import Testing

private func words(_ verdict: CgroupPath.Verdict) -> String {
    switch verdict {
    case .host: "host"
    case .unknown: "unknown"
    case .tenant(let tenant): "\(tenant.kind) \(tenant.engine) \(tenant.role) \(tenant.id)"
    case .candidate(let candidate): (["candidate"] + candidate.scopes.map(\.id)).joined(separator: " ")
    }
}

struct CgroupPathTests {
    @Test(arguments: CgroupSample.seen) func seen(_ sample: CgroupSample) {
        #expect(words(CgroupPath.parse(sample.path)) == sample.expected)
    }

    @Test(arguments: CgroupSample.forged) func forged(_ sample: CgroupSample) {
        #expect(words(CgroupPath.parse(sample.path)) == sample.expected)
    }

    /// What lies below a tenant's group is the tenant's, whatever it is called.
    @Test(arguments: CgroupSample.seen.filter { $0.expected != "host" && !$0.path.hasSuffix("/101") && !$0.path.hasSuffix("nspawn@deb.service") && !$0.path.hasSuffix("vmspawn@fed.service") })
    func whatLiesBelowIsTheSame(_ sample: CgroupSample) throws {
        let others = CgroupSample.seen.map { words(CgroupPath.parse(sample.path + $0.path)) }
        #expect(others.allSatisfy { $0 == sample.expected })
        guard case .tenant(let tenant) = CgroupPath.parse(sample.path + "/x/y") else { throw Missing() }
        // Its own group is a tenant's, and what is above it is not.
        let own = String(sample.path.prefix(tenant.extent))
        #expect(own.count == tenant.extent && (sample.path == own || sample.path.hasPrefix(own + "/")))
        let above = own.split(separator: "/").dropLast().map { "/" + $0 }.joined()
        if case .tenant = CgroupPath.parse(above) { Issue.record("\(above) is a tenant's") }
    }

    @Test func proxmoxIsKnownByItsHost() {
        #expect(words(CgroupPath.parse("/lxc/101", isProxmox: true)) == "container proxmox guest 101")
        #expect(words(CgroupPath.parse("/lxc/web", isProxmox: true)) == "container lxc guest web")
        #expect(words(CgroupPath.parse("/lxc/101", isProxmox: false)) == "container lxc guest 101")
        #expect(words(CgroupPath.parse("/lxc.monitor/101", isProxmox: false)) == "container lxc manager 101")
        #expect(words(CgroupPath.parse("/lxc.monitor/101", isProxmox: true)) == "container proxmox manager 101")
    }

    @Test func rolesAndRuntimes() {
        func runtime(_ path: String) -> String? {
            guard case .tenant(let tenant) = CgroupPath.parse(path) else { return nil }
            return tenant.runtime
        }
        let id = CgroupSample.id
        #expect(runtime("/kubepods.slice/kubepods-pod1.slice/cri-containerd-\(id).scope") == "containerd")
        #expect(runtime("/kubepods.slice/kubepods-pod1.slice/crio-\(id).scope") == "cri-o")
        #expect(runtime("/kubepods.slice/kubepods-pod1.slice/docker-\(id).scope") == "docker")
        #expect(runtime("/kubepods/pod1/\(id)") == "")
        #expect(runtime("/system.slice/crun-x.scope") == "crun")
    }

    @Test func candidates() {
        #expect(words(CgroupPath.parse("/demo")) == "candidate demo")
        #expect(words(CgroupPath.parse("/default/demo/x")) == "candidate default demo")
        #expect(words(CgroupPath.parse("/de mo")) == "host")
        #expect(words(CgroupPath.parse("/a.mount")) == "host")
        guard case .candidate(let candidate) = CgroupPath.parse("/default/demo/x") else { return }
        #expect(candidate.scopes.map { String(decoding: $0.path, as: UTF8.self) } == ["/default", "/default/demo"])
        #expect(candidate.scopes.map(\.parent) == ["", "default"])
    }

    @Test func whatIsCutIsNotGuessed() {
        let path = "/system.slice/docker-\(CgroupSample.id).scope"
        #expect(Array(path.utf8).withUnsafeBytes { CgroupPath.parse($0, truncated: true) } == .unknown)
        #expect(CgroupPath.parse(String(path.dropFirst())) == .unknown)
        #expect(CgroupPath.parse("") == .unknown)
        #expect(CgroupPath.parse("/" + String(repeating: "a", count: 5000)) == .unknown)
    }

    /// Two names are never one text.
    @Test func hostileNames() {
        func name(_ bytes: [UInt8]) -> String {
            let path = Array("/lxc.payload.".utf8) + bytes
            guard case .tenant(let tenant) = path.withUnsafeBytes({ CgroupPath.parse($0) }) else { return "none" }
            return tenant.id
        }
        #expect(name(Array("größe".utf8)) == "größe")
        #expect(name([0x61, 0xff, 0x62]) == #"a\xffb"#)
        #expect(name(Array(#"a\xffb"#.utf8)) == #"a\x5cxffb"#)
        #expect(name([0x61, 0x0a, 0x1b, 0x7f]) == #"a\x0a\x1b\x7f"#)
        #expect(name([0xc2, 0x9b]) == #"\xc2\x9b"#)
        #expect(name([0xe2, 0x82]) == #"\xe2\x82"#)
        // What systemd escaped may be anything, too.
        #expect(words(CgroupPath.parse(#"/machine.slice/machine-qemu\x2d1\x2da\x2fb\x0a\x00.scope"#)) == #"vm libvirt guest a/b\x0a\x00"#)
        #expect(words(CgroupPath.parse(#"/machine.slice/machine-a\x2.scope"#)) == #"container nspawn guest a\x5cx2"#)
    }

    @Test func fuzz() {
        var random = SystemRandomNumberGenerator()
        let samples = (CgroupSample.seen + CgroupSample.forged).map { Array($0.path.utf8) }
        for round in 0..<5_000 {
            var path: [UInt8] = []
            if round % 4 == 0 {
                path = (0..<Int.random(in: 0..<200, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
                path.insert(UInt8(ascii: "/"), at: 0)
            } else {
                path = samples.randomElement(using: &random) ?? []
                for _ in 0..<Int.random(in: 1...4, using: &random) where !path.isEmpty {
                    let at = Int.random(in: 0..<path.count, using: &random)
                    switch Int.random(in: 0..<4, using: &random) {
                    case 0: path[at] = UInt8.random(in: 0...255, using: &random)
                    case 1: path.remove(at: at)
                    case 2: path.insert([0x2f, 0x5c, 0x2d, 0x2e, 0x3a, 0x40].randomElement(using: &random) ?? 0, at: at)
                    default: path += (samples.randomElement(using: &random) ?? []).dropFirst(at % 20)
                    }
                }
            }
            // Whatever a user writes below his own slice, it never is another's.
            let own = Array("/user.slice/user-1000.slice/".utf8) + path
            if case .tenant(let tenant) = own.withUnsafeBytes({ CgroupPath.parse($0) }) {
                #expect(tenant.owner == .user(1000) && tenant.id.hasPrefix("1000/"))
                #expect(["podman", "docker", "containerd", "lxc", "crun", "runc", "buildah"].contains(tenant.engine))
            }
            if case .tenant(let tenant) = path.withUnsafeBytes({ CgroupPath.parse($0) }) {
                #expect(tenant.extent > 0 && tenant.extent <= path.count && !tenant.local.isEmpty)
            }
        }
    }
}

struct Missing: Error {}
