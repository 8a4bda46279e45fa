//! `#[derive(Slotted)]` for `cpymem-slots`; use it through that crate.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::{Data, DeriveInput, Error, Field, Fields, LitStr, Result, Type, parse_macro_input, parse_quote};

/// See the re-export in `cpymem_slots::object`.
#[proc_macro_derive(Slotted, attributes(slotted))]
pub fn derive_slotted(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(input).unwrap_or_else(Error::into_compile_error).into()
}

fn expand(mut input: DeriveInput) -> Result<Tokens> {
    let value = value_type(&input)?;
    let fields = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => fields.named.iter().map(Slot::new).collect::<Result<Vec<_>>>()?,
            _ => return Err(Error::new_spanned(&input.ident, "`Slotted` is for structs with named fields")),
        },
        _ => return Err(Error::new_spanned(&input.ident, "`Slotted` is for structs with named fields")),
    };
    let slots: Vec<&Slot> = fields.iter().filter(|slot| !slot.skip).collect();
    for (at, slot) in slots.iter().enumerate() {
        if slots[..at].iter().any(|before| before.name == slot.name) {
            return Err(Error::new_spanned(&slot.member, format!("two fields are named `{}`", slot.name)));
        }
    }
    let names = slots.iter().map(|slot| &slot.name);
    let field = quote!(::cpymem_slots::object::Field::<#value>);
    let loads = slots.iter().enumerate().map(
        |(at, Slot { member, .. })| quote!(#at => ::core::option::Option::Some(#field::load(&self.#member)),),
    );
    let stores = slots
        .iter()
        .enumerate()
        .filter(|(_, slot)| !slot.readonly)
        .map(|(at, Slot { member, .. })| quote!(#at => #field::store(&mut self.#member, value),));
    let bounds: Vec<syn::WherePredicate> = slots
        .iter()
        .map(|Slot { ty, .. }| parse_quote!(#ty: ::cpymem_slots::object::Field<#value>))
        .collect();
    if !input.generics.params.is_empty() {
        input.generics.make_where_clause().predicates.extend(bounds);
    }
    let name = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics ::cpymem_slots::object::Slotted for #name #type_generics #where_clause {
            type Value = #value;

            const FIELDS: &'static [&'static str] = &[#(#names),*];

            #[inline]
            fn field(&self, index: usize) -> ::core::option::Option<#value> {
                match index {
                    #(#loads)*
                    _ => ::core::option::Option::None,
                }
            }

            #[inline]
            fn set_field(&mut self, index: usize, value: #value) -> ::core::result::Result<(), #value> {
                match index {
                    #(#stores)*
                    _ => ::core::result::Result::Err(value),
                }
            }
        }
    })
}

/// What `#[slotted(value = ..)]` on the type says.
fn value_type(input: &DeriveInput) -> Result<Type> {
    let mut value = None;
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("slotted")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("value") {
                return Err(meta.error("the option of a type is `value = TYPE`"));
            }
            value = Some(meta.value()?.parse::<Type>()?);
            Ok(())
        })?;
    }
    value.ok_or_else(|| Error::new_spanned(&input.ident, "`#[slotted(value = TYPE)]` is missing"))
}

/// A field.
struct Slot {
    member: syn::Ident,
    ty: Type,
    name: String,
    skip: bool,
    readonly: bool,
}

impl Slot {
    fn new(field: &Field) -> Result<Slot> {
        let Some(member) = field.ident.clone() else {
            return Err(Error::new_spanned(field, "`Slotted` is for structs with named fields"));
        };
        let name = member.to_string();
        let name = name.strip_prefix("r#").unwrap_or(&name).to_owned();
        let mut slot = Slot { member, ty: field.ty.clone(), name, skip: false, readonly: false };
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("slotted")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("skip") {
                    slot.skip = true;
                } else if meta.path.is_ident("readonly") {
                    slot.readonly = true;
                } else if meta.path.is_ident("name") {
                    slot.name = meta.value()?.parse::<LitStr>()?.value();
                } else {
                    return Err(
                        meta.error("the options of a field are `skip`, `readonly` and `name = \"..\"`")
                    );
                }
                Ok(())
            })?;
        }
        Ok(slot)
    }
}
