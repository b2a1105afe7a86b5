internal import Glibc
internal import KernelABI

/// rpm's database, asked through rpm(8) itself: its formats are three, none of them meant for others, and librpm brings Lua and a database along.
/// One run lists all files of all packages, for each state of the database.
struct RpmDatabase {
    private let program: String
    private let folders: [String]
    /// An option that names another root, for tests.
    private let options: [String]
    private var index = PackageIndex()
    private var stamp: Stamp?
    /// After a run that failed, none before this time (CLOCK_MONOTONIC, nanoseconds).
    private var notBefore: UInt64 = 0

    /// sqlite, ndb and Berkeley DB, in the newer and the older place.
    private static let files = ["rpmdb.sqlite", "Packages.db", "Packages"]
    /// A run that takes longer is ended; nanoseconds.
    private static let patience: UInt64 = 30_000_000_000

    init(program: String = "/usr/bin/rpm", root: String = "", options: [String] = []) {
        self.program = program
        self.options = options
        folders = ["/usr/lib/sysimage/rpm", "/var/lib/rpm"].map { root + $0 }
    }

    private var database: [String] {
        folders.flatMap { folder in Self.files.map { "\(folder)/\($0)" } }.filter { access($0, R_OK) == 0 }
    }

    var isThere: Bool { access(program, X_OK) == 0 && !database.isEmpty }
    var pathCount: Int { index.pathCount }

    mutating func owner(of path: [UInt8]) -> Ownership {
        let files = database
        // sqlite's log comes and goes with readers; one with nothing in it is as none.
        let watched = files + files.map { $0 + "-wal" }
        if stamp != Stamp(watched, empty: false) {
            guard clock(CLOCK_MONOTONIC) >= notBefore else { return .unknown }
            stamp = nil
            // The last to close the database puts the log into it: what changes then is no other content, which the next run shows.
            for _ in 0..<3 where stamp == nil {
                let now = Stamp(watched, empty: false)
                guard let text = list() else { return .unknown }
                guard Stamp(watched, empty: false) == now, let read = Self.index(text) else { continue }
                index = read
                stamp = now
            }
            hv_trim_memory()
            guard stamp != nil else {
                notBefore = clock(CLOCK_MONOTONIC) + 5_000_000_000
                return .unknown
            }
        }
        guard let package = index.owners(of: path).first else { return Stamp(watched, empty: false) == stamp ? .unpackaged : .unknown }
        return .owned(PackageOwner(name: Array(index.name(package)), version: Array(index.version(package))))
    }

    /// A paragraph for each package: its name, its version, and each of its files on a line of its own.
    static let format = "%{NAME}\\t%{EVR}\\n[%{FILENAMES}\\n]\\n"

    /// Nil where it is not what the format gives.
    static func index(_ text: [UInt8]) -> PackageIndex? {
        guard text.suffix(2).elementsEqual([0x0a, 0x0a]) else { return nil }
        var index = PackageIndex()
        var package: UInt32?
        for line in text.split(separator: 0x0a) {
            if line.first == 0x2f {
                guard let package else { return nil }
                index.add(path: line, of: package)
            } else if let tab = line.firstIndex(of: 0x09) {
                package = index.add(package: line[..<tab], version: line[(tab + 1)...])
                if package == nil { return nil }
            }
        }
        index.finish()
        return index
    }

    private mutating func list() -> [UInt8]? {
        notBefore = clock(CLOCK_MONOTONIC) + 60_000_000_000
        var output: Int32 = -1
        var arguments: [UnsafeMutablePointer<CChar>?] = ([program] + options + ["-qa", "--qf", Self.format]).map { strdup($0) } + [nil]
        var environment: [UnsafeMutablePointer<CChar>?] = [strdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin"), strdup("LC_ALL=C"), nil]
        defer { (arguments + environment).forEach { free($0) } }
        let pid = hv_run(program, &arguments, &environment, &output)
        guard pid > 0 else { return nil }
        let text = Self.drain(output, until: clock(CLOCK_MONOTONIC) + Self.patience, limit: 256 << 20)
        close(output)
        if text == nil { kill(pid, SIGKILL) }
        var status: Int32 = -1
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        guard status == 0, let text else { return nil }
        notBefore = 0
        return text
    }

    private static func drain(_ pipe: Int32, until end: UInt64, limit: Int) -> [UInt8]? {
        var bytes: [UInt8] = []
        return withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 16) { chunk in
            while true {
                let now = clock(CLOCK_MONOTONIC)
                guard now < end, bytes.count < limit else { return nil }
                var waiting = pollfd(fd: pipe, events: Int16(POLLIN), revents: 0)
                guard poll(&waiting, 1, Int32((end - now) / 1_000_000 + 1)) > 0 else { continue }
                let count = read(pipe, chunk.baseAddress, chunk.count)
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else { return nil }
                if count == 0 { return bytes }
                bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: chunk[..<count]))
            }
        }
    }
}
