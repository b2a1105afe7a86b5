// swift-tools-version: 6.2
import PackageDescription

// Apart from the main package, so that building the program needs none of this.
let package = Package(
    name: "benchmarks",
    dependencies: [.package(name: "hypervigil", path: "..")],
    targets: [
        // The C side of the throughput benchmark: it fills a real ring, and is what the Swift side is compared with.
        .target(
            name: "CThroughput",
            dependencies: [.product(name: "KernelABI", package: "hypervigil")],
            linkerSettings: [.linkedLibrary("bpf")]),
        .executableTarget(
            name: "throughput",
            dependencies: [
                "CThroughput",
                .product(name: "Rings", package: "hypervigil"),
                .product(name: "Events", package: "hypervigil"),
                .product(name: "Filters", package: "hypervigil"),
                .product(name: "Redaction", package: "hypervigil"),
                .product(name: "KernelABI", package: "hypervigil"),
            ],
            swiftSettings: [
                .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("InternalImportsByDefault"),
                .enableUpcomingFeature("MemberImportVisibility"),
                .enableExperimentalFeature("Lifetimes"),
                .treatAllWarnings(as: .error),
            ]),
    ],
    swiftLanguageModes: [.v6]
)
