import Foundation
import KernelABI
import Testing

@testable import Probes

/// Files with several links are found in trees that come later, too.
struct LinkScanTests {
    @Test func findsLinksInLaterTrees() throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "link-scan-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: root) }
        var names = WatchPaths()
        names.add(root.path, watched: true)
        var inodes: [String: UInt64] = [:]
        for tree in ["first", "second"] {
            let folder = root.appending(path: tree)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try Data("x".utf8).write(to: folder.appending(path: "file"))
            try FileManager.default.linkItem(at: folder.appending(path: "file"), to: folder.appending(path: "link"))
            try Data("x".utf8).write(to: folder.appending(path: "single"))
            inodes[tree] = try #require(FoundName(Array(folder.appending(path: "file").path.utf8))).inode
        }
        let scan = LinkScan { paths in
            var found: [Int: InodeKey] = [:]
            for (index, path) in paths.enumerated() {
                if let name = FoundName(path) { found[index] = InodeKey(hv_inode_key(inode: name.inode, device: name.device, generation: 0)) }
            }
            return found
        }
        func found(in tree: String) -> Set<UInt64> {
            // What is watched is looked at again now and then, and mostly nothing has come.
            scan.scan([], names: names, skipping: [])
            scan.scan([Array(root.appending(path: tree).path.utf8)], names: names, skipping: [])
            var all: Set<UInt64> = []
            let end = Date().addingTimeInterval(20)
            while Date() < end, all.isEmpty || scan.progress.running {
                usleep(1000)
                all.formUnion(scan.take().map(\.key.inode))
            }
            return all
        }
        #expect(found(in: "first") == [inodes["first"]])
        #expect(found(in: "second") == [inodes["second"]])
    }
}
