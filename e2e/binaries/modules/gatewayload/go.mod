module causeway.dev/e2e/binaries/gatewayload

go 1.26.0
