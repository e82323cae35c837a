// The library of skopeo and podman: manifest and config of each image, verified and parsed, nothing
// stored.
package main

import (
	"context"

	"github.com/containers/image/v5/docker"
	"github.com/containers/image/v5/types"
)

func inspect(port string, image []string) error {
	reference, err := docker.ParseReference("//127.0.0.1:" + port + "/" + image[0] + ":" + image[1])
	if err != nil {
		return err
	}
	system := &types.SystemContext{DockerInsecureSkipTLSVerify: types.OptionalBoolTrue}
	opened, err := reference.NewImage(context.Background(), system)
	if err != nil {
		return err
	}
	defer opened.Close()
	_, err = opened.Inspect(context.Background())
	return err
}

func main() { measure(inspect) }
