import Attribution
import Events
import Glibc
import Testing

/// A host's files in a folder of this test's.
final class FakeHost {
    let root: String

    init() {
        var template = Array("/tmp/hypervigil-tenants.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { preconditionFailure("mkdtemp") }
        root = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit { remove(root) }

    private func remove(_ path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        if status.st_mode & S_IFMT == S_IFDIR, let folder = opendir(path) {
            while let entry = readdir(folder) {
                let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
                if name != "." && name != ".." { remove("\(path)/\(name)") }
            }
            closedir(folder)
            rmdir(path)
        } else {
            unlink(path)
        }
    }

    func folder(_ path: String) {
        var made = root
        for name in path.split(separator: "/") {
            made += "/" + name
            mkdir(made, 0o755)
        }
    }

    func write(_ path: String, _ bytes: some Sequence<UInt8>) {
        folder(String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]))
        let file = open(root + path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        let bytes = Array(bytes)
        guard file >= 0, Glibc.write(file, bytes, bytes.count) == bytes.count else { preconditionFailure("\(path): \(errno)") }
        close(file)
    }

    func write(_ path: String, _ text: String) { write(path, text.utf8) }

    func link(_ path: String, to target: String) {
        folder(String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]))
        guard symlink(target, root + path) == 0 else { preconditionFailure("\(path): \(errno)") }
    }

    var files: HostFiles { HostFiles(root: root) }
    var lookup: TenantLookup { TenantLookup(files: files) }

    /// What is found of the group of this path, as its tenant would be.
    func facts(_ path: String) -> TenantFacts? {
        guard case .tenant(let claim) = CgroupPath.parse(path) else { return nil }
        return lookup.answer(.facts(claim)).facts
    }
}

struct TenantLookupTests {
    private static let id = CgroupSample.id
    private let host = FakeHost()

    private let config = #"{"Name":"/web","State":{"Name":"x"},"Config":{"Image":"nginx:1.27","Env":["Name=y"]}}"#

    @Test func docker() {
        host.write("/var/lib/docker/containers/\(Self.id)/config.v2.json", config)
        #expect(host.facts("/system.slice/docker-\(Self.id).scope") == TenantFacts(name: "web", image: "nginx:1.27"))
        #expect(host.facts("/docker/\(CgroupSample.other)") == nil)
        host.write("/data/docker/containers/\(CgroupSample.other)/config.v2.json", config)
        host.write("/etc/docker/daemon.json", #"{"log-driver":"journald","data-root":"/data/docker"}"#)
        #expect(host.facts("/docker/\(CgroupSample.other)")?.name == "web")
        // A root's own links are followed, and stay inside.
        host.link("/etc/docker2", to: "/var/lib/docker")
        host.write("/etc/docker/daemon.json", #"{"data-root":"/etc/docker2"}"#)
        #expect(host.facts("/docker/\(Self.id)")?.name == "web")
        // The dockershim's names.
        host.write("/etc/docker/daemon.json", "{}")
        host.write("/var/lib/docker/containers/\(Self.id)/config.v2.json", #"{"Name":"/k8s_app_pod-1_ns_uid_0"}"#)
        #expect(host.facts("/kubepods.slice/kubepods-pod1.slice/docker-\(Self.id).scope")?.name == "ns/pod-1/app")
    }

    @Test func rootlessIsAClaim() {
        host.write("/etc/passwd", "root:x:0:0::/root:/bin/sh\nbad\nann:x:1000:1000::/home/ann:/bin/sh\n")
        host.write("/home/ann/.local/share/docker/containers/\(Self.id)/config.v2.json", config)
        let path = "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-\(Self.id).scope"
        #expect(host.facts(path) == TenantFacts(name: "web", image: "nginx:1.27", isClaimed: true))
        #expect(host.facts(path.replacing("1000", with: "1001")) == nil)
        // The host's container of that id is another one.
        #expect(host.facts("/docker/\(Self.id)") == nil)
    }

    @Test func homesLeadNowhereElse() {
        host.write("/etc/passwd", "ann:x:1000:1000::/home/ann:/bin/sh\n")
        host.write("/secret/containers/\(Self.id)/config.v2.json", config)
        host.folder("/home/ann/.local/share")
        host.link("/home/ann/.local/share/docker", to: "../../../../secret")
        let path = "/user.slice/user-1000.slice/x/docker-\(Self.id).scope"
        #expect(host.facts(path) == nil)
        // Nor by a link that stays inside.
        host.write("/home/ann/elsewhere/containers/\(Self.id)/config.v2.json", config)
        unlink(host.root + "/home/ann/.local/share/docker")
        host.link("/home/ann/.local/share/docker", to: "../../elsewhere")
        #expect(host.facts(path) == nil)
        // A FIFO in the place of a file would wait for ever.
        let other = "/home/ann/.local/share/containers/storage/overlay-containers"
        host.folder(other)
        #expect(mkfifo(host.root + other + "/containers.json", 0o644) == 0)
        #expect(host.facts("/user.slice/user-1000.slice/x/libpod-\(Self.id).scope") == nil)
    }

    @Test func podman() {
        func storage(_ name: String, _ id: String) -> String {
            #"[{"id":"x","names":["no"]},{"id":"\#(id)","names":["\#(name)","b"],"metadata":"{\"image-name\":\"docker.io/library/alpine:3\",\"name\":\"m\"}","layer":"l"}]"#
        }
        host.write("/var/lib/containers/storage/overlay-containers/containers.json", storage("kept", Self.id))
        host.write("/var/lib/containers/storage/overlay-containers/volatile-containers.json", storage("gone", CgroupSample.other))
        #expect(host.facts("/machine.slice/libpod-\(Self.id).scope") == TenantFacts(name: "kept", image: "docker.io/library/alpine:3"))
        #expect(host.facts("/machine.slice/libpod-\(CgroupSample.other).scope")?.name == "gone")
        host.write("/etc/passwd", "ann:x:1000:1000::/home/ann:/bin/sh\n")
        host.write("/home/ann/.local/share/containers/storage/overlay-containers/containers.json", storage("a\\nb", Self.id))
        #expect(host.facts("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-\(Self.id).scope")?.name == #"a\x0ab"#)
    }

    @Test func pods() {
        let group = "/kubepods.slice/kubepods-pod1.slice/cri-containerd-\(Self.id).scope"
        let bundle = "/run/containerd/io.containerd.runtime.v2.task/k8s.io/\(Self.id)/config.json"
        host.write(
            bundle,
            #"{"annotations":{"io.kubernetes.cri.container-name":"app","io.kubernetes.cri.container-type":"container","io.kubernetes.cri.sandbox-name":"web-1","io.kubernetes.cri.sandbox-namespace":"shop","io.kubernetes.cri.image-name":"ghcr.io/shop/web:2"}}"#)
        #expect(host.facts(group) == TenantFacts(name: "shop/web-1/app", image: "ghcr.io/shop/web:2", runtime: "containerd"))
        host.write(
            bundle,
            #"{"annotations":{"io.kubernetes.cri.container-type":"sandbox","io.kubernetes.cri.sandbox-name":"web-1","io.kubernetes.cri.sandbox-namespace":"shop"}}"#)
        #expect(host.facts(group)?.name == "shop/web-1")
        host.write(
            "/run/containers/storage/overlay-containers/\(Self.id)/userdata/config.json",
            #"{"annotations":{"io.kubernetes.container.name":"app","io.kubernetes.pod.name":"p","io.kubernetes.pod.namespace":"n","io.kubernetes.cri-o.ImageName":"i"}}"#)
        #expect(
            host.facts("/kubepods.slice/kubepods-pod1.slice/crio-\(Self.id).scope") == TenantFacts(name: "n/p/app", image: "i", runtime: "cri-o"))
        // cgroupfs says nothing of the runtime.
        #expect(host.facts("/kubepods/pod1/\(Self.id)")?.runtime == "containerd")
        host.write("/run/containerd/io.containerd.runtime.v2.task/default/\(CgroupSample.other)/config.json", #"{"annotations":{"nerdctl/name":"n1"}}"#)
        #expect(host.facts("/system.slice/nerdctl-\(CgroupSample.other).scope")?.name == "n1")
    }

    @Test func machines() {
        let uuid = "c7a5fdbd-edaf-9455-926a-d65c16db1809"
        host.write(
            "/run/libvirt/qemu/web01.xml",
            "<domstatus state='running'><monitor path='x'/><domain type='kvm' id='1'>\n<name>web01</name>\n<uuid>\(uuid)</uuid><metadata><uuid>no</uuid></metadata></domain></domstatus>")
        #expect(host.facts(#"/machine.slice/machine-qemu\x2d1\x2dweb01.scope"#) == TenantFacts(id: uuid, name: "web01"))
        host.write("/run/libvirt/qemu/bad.xml", "<domain type='kvm'><name>bad</name><uuid>../../x")
        #expect(host.facts(#"/machine.slice/machine-qemu\x2d1\x2dbad.scope"#)?.id == "")
        host.write("/etc/pve/qemu-server/100.conf", "cores: 2\nname: web\n\n[snap]\nname: old\n")
        host.write("/etc/pve/lxc/101.conf", "arch: amd64\nhostname: ct\n")
        #expect(host.facts("/qemu.slice/100.scope")?.name == "web")
        #expect(host.facts("/lxc/101/ns")?.name == "ct")
        host.write("/etc/pve/qemu-server/102.conf", "[snap]\nname: old\n")
        #expect(host.facts("/qemu.slice/102.scope") == nil)
        host.write("/var/lib/lxc/plain/config", "")
        host.folder("/var/lib/incus/containers/plain")
        host.folder("/var/lib/incus/containers/c1")
        #expect(host.facts("/lxc.payload.plain") == nil)
        #expect(host.facts("/lxc.payload.c1")?.engine == "incus")
    }

    @Test func proofs() {
        func proof(_ path: String) -> String? {
            guard case .candidate(let candidate) = CgroupPath.parse(path) else { return nil }
            return host.lookup.answer(.proof(candidate)).proof.map { "\($0.scope) \($0.claim.engine) \($0.claim.id)" }
        }
        host.write("/run/crun/demo/status", #"{"pid":1,"cgroup-path":"/demo","bundle":"/b","rootfs":"/b/rootfs"}"#)
        host.write("/b/config.json", #"{"annotations":{"org.opencontainers.image.ref.name":"alpine:3"}}"#)
        #expect(proof("/demo") == "0 crun demo")
        #expect(proof("/demo2") == nil)
        // The same name for another group.
        #expect(proof("/other/demo") == nil)
        #expect(host.facts("/system.slice/crun-demo.scope") == TenantFacts(name: "demo", image: "alpine:3", runtime: "crun"))
        host.write("/run/runc/r1/state.json", #"{"id":"r1","cgroup_paths":{"":"/sys/fs/cgroup/r1"},"config":{"labels":["bundle=/b"]}}"#)
        #expect(proof("/r1") == "0 runc r1")
        host.write("/run/containerd/io.containerd.runtime.v2.task/default/t1/config.json", #"{"linux":{"cgroupsPath":"/default/t1"}}"#)
        #expect(proof("/default/t1") == "1 containerd t1")
        #expect(proof("/t1") == nil)
        host.write("/run/containerd/io.containerd.runtime.v2.task/moby/\(Self.id)/config.json", #"{"linux":{"cgroupsPath":"/actions_job/\#(Self.id)"}}"#)
        #expect(proof("/actions_job/\(Self.id)") == "1 docker \(Self.id)")
    }

    /// Nothing that a file may contain does harm.
    @Test func hostileFiles() {
        var random = SystemRandomNumberGenerator()
        let path = "/var/lib/docker/containers/\(Self.id)/config.v2.json"
        let group = "/docker/\(Self.id)"
        host.write(path, String(repeating: "[", count: 100_000))
        #expect(host.facts(group) == nil)
        host.write(path, #"{"a":"# + String(repeating: #"{"a":"#, count: 70) + "1" + String(repeating: "}", count: 71))
        #expect(host.facts(group) == nil)
        host.write(path, #"{"Name":["x"],"Config":"y"}"#)
        #expect(host.facts(group) == TenantFacts())
        host.write(path, #"{"Name":"/\ud83d\ude00\ud83d\u0041","Config":{"Image":"\u0007"}}"#)
        #expect(host.facts(group) == TenantFacts(name: "\u{1f600}\u{fffd}A", image: #"\x07"#))
        host.write(path, #"{"Name":"/"# + String(repeating: "n", count: 4000) + #""}"#)
        #expect(host.facts(group)?.name.utf8.count == 512)
        host.write(path, [UInt8](repeating: 0x20, count: 2 << 20))
        #expect(host.facts(group) == nil)
        for wrong in ["", "{", "{}x", #"{"a" 1}"#, #"{"a":1,}"#, #"{"a":01}"#, #"{"a":1.}"#, #"{"a":"\x"}"#, #"{"a":tru}"#, "{\"a\":\"\n\"}", #"{"a":"\ud8"}"#] {
            host.write(path, wrong)
            #expect(host.facts(group) == nil)
        }
        let seed = Array(config.utf8)
        for _ in 0..<500 {
            var text = seed
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                text[Int.random(in: 0..<text.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            host.write(path, text)
            if let facts = host.facts(group) { #expect(!facts.name.unicodeScalars.contains { $0.value < 0x20 }) }
        }
    }
}
