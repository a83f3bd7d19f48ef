variable "namespace" {
  description = "The namespace to make, and the release's name in it."
  type        = string
  default     = "emr"

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$", var.namespace))
    error_message = "A namespace has small letters, digits and hyphens, at most 40, and begins with a letter."
  }
}

variable "chart" {
  description = "Where the chart is: a folder, or an archive."
  type        = string
}

variable "hospitals_folder" {
  description = "The folder with one YAML file per hospital; the same files that `emr tenants plan` reads."
  type        = string
}

variable "base_url" {
  description = "The address that browsers and FHIR clients use."
  type        = string

  validation {
    condition     = can(regex("^https://[a-z0-9.-]+(:[0-9]+)?$", var.base_url))
    error_message = "The address is https://host, without a path."
  }
}

variable "storage_endpoint" {
  description = "host:port of the S3 service."
  type        = string
}

variable "issuer" {
  description = "The issuer of the OpenID provider's tokens."
  type        = string
}

variable "image" {
  description = "Where the image is; a digest wins over a tag."
  type = object({
    repository = string
    tag        = optional(string, "")
    digest     = optional(string, "")
  })
}

variable "values" {
  description = "Further values of the chart, by its own names; they win over what this module says."
  type        = any
  default     = {}
}

variable "quota" {
  description = "What the whole namespace may ask for; room for one roll-out beside what runs."
  type = object({
    cpu     = optional(string, "8")
    memory  = optional(string, "16Gi")
    pods    = optional(number, 40)
    storage = optional(string, "120Gi")
  })
  default = {}
}

variable "timeout_seconds" {
  description = "How long an upgrade may take, the migration of every hospital included."
  type        = number
  default     = 3600
}
