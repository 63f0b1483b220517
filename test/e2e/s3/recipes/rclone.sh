rclone config create edge s3 provider Other env_auth true endpoint https://edge.example
rclone ls edge:media
rclone copy edge:media/ramp.bin .
