module causeway.dev/e2e/binaries/tlsclient

go 1.26.0
