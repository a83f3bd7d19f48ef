output "namespace" {
  description = "The namespace of the release."
  value       = var.namespace
}

output "hospitals" {
  description = "The slugs of the hospitals that the release onboards."
  value       = sort(keys(local.hospitals))
}
