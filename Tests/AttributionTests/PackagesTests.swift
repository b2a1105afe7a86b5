@testable import Attribution
import Glibc
import KernelABI
import Testing

/// A file system with a dpkg database.
private final class Root {
    let folder = Folder()
    var path: String { folder.path }

    init() {
        for name in ["/usr", "/usr/bin", "/usr/lib", "/var", "/var/lib", "/var/lib/dpkg", "/var/lib/dpkg/info"] { #expect(mkdir(path + name, 0o755) == 0) }
        #expect(symlink("usr/bin", path + "/bin") == 0)
        #expect(symlink("/usr/lib", path + "/lib") == 0)
        set(
            "status",
            """
            Package: coreutils
            Status: install ok installed
            Architecture: amd64
            Version: 9.1-1

            Package: libc6
            Architecture: i386
            Multi-Arch: same
            Version: 2.36-i

            Package: libc6
            Architecture: amd64
            Multi-Arch: same
            Version: 2.36-a

            Package: dash
            Version:\t0.5.12-2\u{20}
            Description: shell
             Package: none

            """)
        list("coreutils", ["/.", "/bin", "/bin/ls", "/usr/bin/env", "/usr/bin/odd name\u{e4}"])
        list("libc6:amd64", ["/.", "/lib/x86_64-linux-gnu/ld.so", "/lib/ld.so"])
        list("libc6:i386", ["/.", "/lib/ld-linux.so"])
        list("dash", ["/bin/sh", "/bin/dash", "/usr/bin/ours"])
        list("bash", ["/bin/sh", "/bin/bash"])
    }

    func set(_ name: String, _ text: String) { write(Array(text.utf8), to: path + "/var/lib/dpkg/" + name) }
    func list(_ name: String, _ paths: [String]) { set("info/\(name).list", paths.joined(separator: "\n") + "\n") }
    func database() -> DpkgDatabase { DpkgDatabase(root: path) }
}

private func owned(_ name: String, _ version: String) -> Ownership { .owned(PackageOwner(name: Array(name.utf8), version: Array(version.utf8))) }

extension DpkgDatabase {
    fileprivate mutating func owner(_ path: String) -> Ownership { owner(of: Array(path.utf8)) }
}

@Suite struct PackagesTests {
    @Test func dpkgFollowsAliases() {
        let root = Root()
        var database = root.database()
        #expect(database.isThere)
        // As the lists have it, and as the kernel does.
        for path in ["/bin/ls", "/usr/bin/ls", "/usr/bin/env", "/bin/env", "/usr/bin/odd name\u{e4}"] {
            #expect(database.owner(path) == owned("coreutils", "9.1-1"), "\(path)")
        }
        #expect(database.owner("/usr/lib/ld.so") == owned("libc6", "2.36-a"))
        #expect(database.owner("/usr/lib/ld-linux.so") == owned("libc6", "2.36-i"))
        #expect(database.owner("/usr/bin/dash") == owned("dash", "0.5.12-2"))
        // No paragraph: it is a package all the same.
        #expect(database.owner("/usr/bin/bash") == owned("bash", ""))
        for path in ["/usr/bin/lsx", "/usr/bin/l", "/usr/local/bin/ls", "/binx/ls", "/usr/bin", "ls", "", "/", "/usr/bin/none"] {
            #expect(database.owner(path) == (path == "/usr/bin" ? owned("coreutils", "9.1-1") : .unpackaged), "\(path)")
        }
    }

    @Test func dpkgFollowsDiversions() {
        let root = Root()
        // bash puts its own in the place of dash's /bin/sh; the administrator has moved dash's /usr/bin/ours away.
        root.set("diversions", "/bin/sh\n/bin/sh.distrib\nbash\n/usr/bin/ours\n/usr/bin/ours.real\n:\n")
        var database = root.database()
        #expect(database.owner("/usr/bin/sh") == owned("bash", ""))
        #expect(database.owner("/usr/bin/sh.distrib") == owned("dash", "0.5.12-2"))
        #expect(database.owner("/usr/bin/ours.real") == owned("dash", "0.5.12-2"))
        #expect(database.owner("/usr/bin/ours") == .unpackaged)
        #expect(database.owner("/usr/bin/dash") == owned("dash", "0.5.12-2"))
    }

    @Test func dpkgIsReadAgain() {
        let root = Root()
        var database = root.database()
        #expect(database.owner("/usr/bin/new") == .unpackaged)
        root.list("new", ["/usr/bin/new"])
        #expect(database.owner("/usr/bin/new") == owned("new", ""))
        unlink(root.path + "/var/lib/dpkg/info/new.list")
        #expect(database.owner("/usr/bin/new") == .unpackaged)
        // Nothing can be said of one that is not whole.
        unlink(root.path + "/var/lib/dpkg/status")
        #expect(database.owner("/usr/bin/new") == .unknown)
        #expect(database.owner("/usr/bin/ls") == .unknown)
        #expect(!database.isThere)
    }

    @Test func dpkgAtWork() {
        let root = Root()
        var database = root.database()
        #expect(database.owner("/usr/bin/new") == .unpackaged)
        root.set("lock", "")
        // Locks are a process's.
        let script = """
            use Fcntl; open(my $lock, ">", $ARGV[0]) or die; my $how = pack("s s x4 q q i x4", F_WRLCK, 0, 0, 0, 0); fcntl($lock, F_SETLK, $how) or die;
            open(my $ready, ">", $ARGV[1]) or die; sleep 100;
            """
        let pid = begin("/usr/bin/perl", ["perl", "-e", script, root.path + "/var/lib/dpkg/lock", root.path + "/ready"])
        #expect(pid > 0)
        defer { end(pid) }
        while access(root.path + "/ready", F_OK) != 0 {
            if waitpid(pid, nil, WNOHANG) != 0 {
                Issue.record("no lock could be taken")
                return
            }
            usleep(1000)
        }
        // What was known is still right, but that nobody has it is not sure any more.
        #expect(database.owner("/usr/bin/ls") == owned("coreutils", "9.1-1"))
        #expect(database.owner("/usr/bin/new") == .unknown)
        root.list("new", ["/usr/bin/new"])
        #expect(database.owner("/usr/bin/ls") == .unknown)
        end(pid)
        #expect(database.owner("/usr/bin/new") == owned("new", ""))
    }

    @Test func hostileBytes() {
        var random = SystemRandomNumberGenerator()
        let root = Root()
        let texts = ["status", "diversions", "info/coreutils.list", "info/dash.list"].map { name in
            (name, contents(root.path + "/var/lib/dpkg/" + name) ?? Array("/a\n/b\n:\n".utf8))
        }
        for _ in 0..<40 {
            for (name, text) in texts {
                var bytes = text
                for _ in 0..<Int.random(in: 0...8, using: &random) where !bytes.isEmpty {
                    let at = bytes.indices.randomElement(using: &random)!
                    switch Int.random(in: 0..<4, using: &random) {
                    case 0: bytes[at] = .random(in: .min ... .max, using: &random)
                    case 1: bytes.remove(at: at)
                    case 2: bytes.insert([0x0a, 0x2f, 0x3a, 0, 0xff].randomElement(using: &random)!, at: at)
                    default: bytes.removeSubrange(at...)
                    }
                }
                write(bytes, to: root.path + "/var/lib/dpkg/" + name)
            }
            var database = root.database()
            #expect(database.owner("/usr/bin/bash") == owned("bash", "") || database.owner("/usr/bin/bash") == .unpackaged)
        }
        for _ in 0..<1000 {
            let bytes = (0..<Int.random(in: 0...200, using: &random)).map { _ in [0x0a, 0x20, 0x2f, 0x3a, 0x2d, 0x31, .random(in: .min ... .max, using: &random)].randomElement(using: &random)! as UInt8 }
            _ = DpkgDatabase.versions(bytes)
            _ = DpkgDatabase.diversions(bytes)
            _ = RpmDatabase.index(bytes + [0x0a, 0x0a])
            _ = MountLine(id: 1, in: bytes)
            _ = MountLine.mayHang([0x2f], in: bytes)
        }
    }

    @Test func agreesWithDpkg() throws {
        guard access("/usr/bin/dpkg-query", X_OK) == 0 else { return }
        var database = DpkgDatabase()
        try #require(database.isThere)
        var asked = 0
        for package in ["coreutils", "dpkg", "bash", "dash", "apt", "perl-base", "util-linux", "libc6", "procps"] {
            let paths = run(["/usr/bin/dpkg-query", "-L", package]).output.split(separator: 0x0a)
            for path in paths where path.starts(with: "/".utf8) {
                var status = stat()
                let name = String(decoding: path, as: UTF8.self)
                guard lstat(name, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_mode & 0o111 != 0 else { continue }
                guard let real = realpath(name, nil) else { continue }
                defer { free(real) }
                guard case .owned(let owner) = database.owner(of: Array(String(cString: real).utf8)) else {
                    Issue.record("\(name) of \(package) is nobody's")
                    continue
                }
                let search = run(["/usr/bin/dpkg-query", "-S", name]).output
                let first = String(decoding: search.prefix { $0 != 0x3a && $0 != 0x2c }, as: UTF8.self)
                let version = run(["/usr/bin/dpkg-query", "-W", "-f", "${Version}\n", package]).output.prefix { $0 != 0x0a }
                if !first.hasPrefix("diversion") { #expect(String(decoding: owner.name, as: UTF8.self) == first, "\(name)") }
                #expect(owner.version.elementsEqual(version))
                asked += 1
                if asked % 4 == 0 { break }
            }
        }
        #expect(asked > 20)
        #expect(database.owner("/usr/local/bin/of nobody") == .unpackaged)
    }

    @Test func rpmParagraphs() throws {
        let text = "bash\t5.2-1\n/usr/bin/bash\n/usr/bin/sh\n\ngpg-pubkey\t1-2\n\ncoreutils\t1:9-1\n/usr/bin/ls\n\n"
        let index = try #require(RpmDatabase.index(Array(text.utf8)))
        #expect(index.packageCount == 3 && index.pathCount == 3)
        let owner = try #require(index.owners(of: Array("/usr/bin/ls".utf8)).first)
        #expect(index.name(owner).elementsEqual("coreutils".utf8) && index.version(owner).elementsEqual("1:9-1".utf8))
        #expect(index.owners(of: Array("/usr/bin/cat".utf8)).isEmpty)
        // Cut: what is missing could be anything.
        #expect(RpmDatabase.index(Array(text.utf8.dropLast(1))) == nil)
        #expect(RpmDatabase.index([]) == nil)
        #expect(RpmDatabase.index(Array("/usr/bin/ls\n\n".utf8)) == nil)
    }

    /// A real database, where rpm and rpmbuild are installed.
    @Test func rpmItself() throws {
        guard access("/usr/bin/rpm", X_OK) == 0, access("/usr/bin/rpmbuild", X_OK) == 0 else { return }
        let root = Root()
        let spec = root.folder.file(
            "tool.spec",
            """
            Name: tool
            Version: 1.2
            Release: 3
            Epoch: 4
            Summary: none
            License: BSD
            BuildArch: noarch
            %description
            None.
            %install
            mkdir -p %{buildroot}/usr/bin
            echo > %{buildroot}/usr/bin/tool
            %files
            /usr/bin/tool

            """)
        #expect(run(["/usr/bin/rpmbuild", "--define", "_topdir \(root.path)/build", "-bb", spec]).status == 0)
        let options = ["--root", root.path, "--dbpath", "/var/lib/rpm"]
        let package = "\(root.path)/build/RPMS/noarch/tool-1.2-3.noarch.rpm"
        #expect(run(["/usr/bin/rpm"] + options + ["--nodeps", "--ignoreos", "-i", package]).status == 0)
        var database = RpmDatabase(root: root.path, options: options)
        try #require(database.isThere)
        #expect(database.owner(of: Array("/usr/bin/tool".utf8)) == owned("tool", "4:1.2-3"))
        #expect(database.owner(of: Array("/usr/bin/ls".utf8)) == .unpackaged)
    }

    @Test func rpmThatFailsSaysNothing() {
        let root = Root()
        #expect(mkdir(root.path + "/var/lib/rpm", 0o755) == 0)
        write([0], to: root.path + "/var/lib/rpm/rpmdb.sqlite")
        for program in ["/bin/false", "/bin/true", "/bin/pwd", "/nowhere"] {
            var database = RpmDatabase(program: program, root: root.path)
            #expect(database.isThere == (program != "/nowhere"))
            #expect(database.owner(of: Array("/usr/bin/ls".utf8)) == .unknown)
        }
        write(Array("#!/bin/sh\nprintf 'tool\\t1-1\\n/usr/bin/tool\\n\\n'".utf8), to: root.path + "/rpm")
        var database = RpmDatabase(program: root.path + "/rpm", root: root.path)
        #expect(database.owner(of: Array("/usr/bin/tool".utf8)) == owned("tool", "1-1"))
        #expect(database.owner(of: Array("/usr/bin/ls".utf8)) == .unpackaged)
        // Of both databases.
        let both = PackageDatabases(dpkg: root.database(), rpm: database)
        #expect(both.owner(of: Array("/usr/bin/ls".utf8)) == owned("coreutils", "9.1-1"))
        #expect(both.owner(of: Array("/usr/bin/tool".utf8)) == owned("tool", "1-1"))
        #expect(both.owner(of: Array("/usr/bin/of nobody".utf8)) == .unpackaged)
        let none = PackageDatabases(dpkg: DpkgDatabase(root: root.path + "/usr"), rpm: RpmDatabase(root: root.path + "/usr"))
        #expect(none.owner(of: Array("/usr/bin/ls".utf8)) == .unknown)
    }

    @Test func asksAndLooks() {
        let root = Root()
        let packages = Packages(enabled: true, kept: 64, waiting: 8, databases: PackageDatabases(dpkg: root.database(), rpm: RpmDatabase(root: root.path)))
        defer { packages.stop() }
        let identity = identity("/bin/true")
        func settled(_ path: String) -> String {
            var bytes = Array(path.utf8)
            return bytes.withUnsafeMutableBytes { bytes in
                let path = UnsafeRawBufferPointer(bytes)
                var state = packages.request(identity, path: path)
                while true {
                    switch state {
                    case .owned(let name, let version): return String(decoding: name, as: UTF8.self) + " " + String(decoding: version, as: UTF8.self)
                    case .unpackaged: return "unpackaged"
                    case .unanswered: return "unanswered"
                    case .unknown: return "unknown"
                    case .pending: break
                    }
                    usleep(1000)
                    packages.take()
                    state = packages.look(identity, path: path)
                }
            }
        }
        for _ in 0..<2 {
            #expect(settled("/usr/bin/ls") == "coreutils 9.1-1")
            // The same file by another name.
            #expect(settled("/usr/bin/mine") == "unpackaged")
            #expect(settled("relative") == "unanswered")
        }
        unlink(root.path + "/var/lib/dpkg/status")
        #expect(settled("/usr/bin/env") == "unanswered")
    }
}
